//! A TCP connection that knows when what it reads reached this machine.
//!
//! A client that is busy reads late what has long been there; measured by when it looked, a service seems slower than it is. The
//! system stamps each segment as it comes in (`SO_TIMESTAMPNS`), and the time of the last one stays with the bytes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use crestline_core::units::Nanos;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A connection.
#[derive(Debug)]
pub struct Tcp {
    stream: TcpStream,
    #[cfg(target_os = "linux")]
    stamps: stamps::Stamps,
}

impl Tcp {
    /// Asks the system for stamps; where it has none, there are none.
    pub fn new(stream: TcpStream) -> Self {
        Self {
            #[cfg(target_os = "linux")]
            stamps: stamps::Stamps::ask(&stream),
            stream,
        }
    }

    /// When the last byte that was read reached this machine, in Unix time; `None` where the system does not say.
    pub fn came(&self) -> Option<Nanos> {
        #[cfg(target_os = "linux")]
        return self.stamps.came;
        #[cfg(not(target_os = "linux"))]
        None
    }

    /// The connection itself.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }
}

#[cfg(target_os = "linux")]
mod stamps {
    //! Reads with the control message that holds the stamp.

    use std::io::{self, IoSliceMut};
    use std::os::fd::AsRawFd;
    use std::task::{Context, Poll, ready};

    use crestline_core::units::Nanos;
    use nix::cmsg_space;
    use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt};
    use nix::sys::time::TimeSpec;
    use tokio::io::{Interest, ReadBuf};
    use tokio::net::TcpStream;

    #[derive(Debug)]
    pub(super) struct Stamps {
        pub(super) came: Option<Nanos>,
        /// Room for the control message.
        control: Vec<u8>,
    }

    impl Stamps {
        pub(super) fn ask(stream: &TcpStream) -> Self {
            // Without stamps, times are those of the reads.
            let _ = setsockopt(stream, sockopt::ReceiveTimestampns, &true);
            Self {
                came: None,
                control: cmsg_space!(TimeSpec),
            }
        }

        pub(super) fn poll_read(
            &mut self,
            stream: &TcpStream,
            cx: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            loop {
                ready!(stream.poll_read_ready(cx))?;
                let room = buffer.initialize_unfilled();
                let wanted = room.len();
                let received = stream.try_io(Interest::READABLE, || self.receive(stream, room));
                match received {
                    Ok(length) => {
                        if (1..wanted).contains(&length) {
                            // That was all: the next read waits without asking the system again.
                            let nothing = || Err::<(), _>(io::ErrorKind::WouldBlock.into());
                            drop(stream.try_io(Interest::READABLE, nothing));
                        }
                        buffer.advance(length);
                        return Poll::Ready(Ok(()));
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return Poll::Ready(Err(error)),
                }
            }
        }

        fn receive(&mut self, stream: &TcpStream, room: &mut [u8]) -> io::Result<usize> {
            let mut slices = [IoSliceMut::new(room)];
            let message = recvmsg::<()>(
                stream.as_raw_fd(),
                &mut slices,
                Some(&mut self.control),
                MsgFlags::empty(),
            )?;
            self.came = message.cmsgs()?.find_map(|control| match control {
                ControlMessageOwned::ScmTimestampns(stamp) => Some(unix_time(stamp)),
                _ => None,
            });
            Ok(message.bytes)
        }
    }

    fn unix_time(stamp: TimeSpec) -> Nanos {
        Nanos(stamp.tv_sec() as u64 * 1_000_000_000 + stamp.tv_nsec() as u64)
    }
}

impl AsyncRead for Tcp {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        #[cfg(target_os = "linux")]
        return this.stamps.poll_read(&this.stream, cx, buffer);
        #[cfg(not(target_os = "linux"))]
        Pin::new(&mut this.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Tcp {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(cx, parts)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::time::{Duration, sleep};

    use super::*;
    use crate::clock::Clock;

    async fn connected() -> (Tcp, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).await;
        let near = Tcp::new(near.unwrap());
        (near, listener.accept().await.unwrap().0)
    }

    #[tokio::test]
    async fn what_is_read_is_whole_in_any_pieces() {
        let (mut near, mut far) = connected().await;
        let sent: Vec<u8> = (0..200_000u32).map(|byte| byte as u8).collect();
        let all = sent.clone();
        let writer = tokio::spawn(async move {
            for piece in all.chunks(777) {
                far.write_all(piece).await.unwrap();
                tokio::task::yield_now().await;
            }
        });
        let mut read = Vec::new();
        near.read_to_end(&mut read).await.unwrap();
        writer.await.unwrap();
        assert!(read == sent, "{} of {} bytes", read.len(), sent.len());
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn bytes_have_the_time_at_which_they_came_and_not_that_at_which_they_were_read() {
        let clock = Clock::start();
        let (mut near, mut far) = connected().await;
        // The system begins to stamp a moment after it is asked to.
        sleep(Duration::from_millis(200)).await;
        let before = clock.now();
        far.write_all(b"early").await.unwrap();
        sleep(Duration::from_millis(300)).await;
        let mut text = [0; 5];
        near.read_exact(&mut text).await.unwrap();
        let read = clock.read(near.came());
        assert!(read.came >= before && read.is_stamped, "{read:?}");
        assert!(read.seen.0 - read.came.0 >= 290_000_000, "{read:?}");
    }
}
