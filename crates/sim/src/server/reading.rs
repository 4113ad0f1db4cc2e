//! Reads a socket, and says when the bytes reached this machine.
//!
//! A busy server reads late what has long been there. The system stamps each segment as it comes in, so that what a client is
//! judged by does not depend on how soon the server looked.

pub(super) use stamped::{prepare, read};

#[cfg(target_os = "linux")]
mod stamped {
    use std::io::{self, IoSliceMut};
    use std::os::fd::AsRawFd;

    use bytes::BytesMut;
    use crestline_core::units::Nanos;
    use nix::cmsg_space;
    use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt};
    use nix::sys::time::TimeSpec;
    use tokio::io::Interest;
    use tokio::net::TcpStream;

    use crate::server::clock;

    /// Bytes that are read at once at most.
    const PIECE: usize = 64 * 1024;

    /// Asks the system to stamp what comes in on the sockets of a listener, or on one socket. It begins a moment later.
    pub(in crate::server) fn prepare(socket: &impl std::os::fd::AsFd) -> io::Result<()> {
        Ok(setsockopt(socket, sockopt::ReceiveTimestampns, &true)?)
    }

    /// Reads what is there behind what has been read; [`io::ErrorKind::WouldBlock`] where nothing is. The time is that of
    /// the last byte, on the clock of [`clock::now`]; where the system has not stamped it, now.
    pub(in crate::server) fn read(
        socket: &TcpStream,
        buffer: &mut BytesMut,
    ) -> io::Result<(usize, Nanos)> {
        let start = buffer.len();
        let room = (buffer.capacity() - start).clamp(4096, PIECE);
        buffer.resize(start + room, 0);
        let done = socket.try_io(Interest::READABLE, || {
            let mut space = cmsg_space!(TimeSpec);
            let mut slices = [IoSliceMut::new(&mut buffer[start..])];
            let message = recvmsg::<()>(
                socket.as_raw_fd(),
                &mut slices,
                Some(&mut space),
                MsgFlags::empty(),
            )?;
            let stamp = message.cmsgs()?.find_map(|control| match control {
                ControlMessageOwned::ScmTimestampns(stamp) => Some(stamp),
                _ => None,
            });
            Ok((message.bytes, stamp))
        });
        buffer.truncate(start + done.as_ref().map_or(0, |(count, _)| *count));
        let (count, stamp) = done?;
        Ok((count, stamp.map_or_else(clock::now, clock::of_stamp)))
    }
}

#[cfg(not(target_os = "linux"))]
mod stamped {
    use std::io;

    use bytes::BytesMut;
    use crestline_core::units::Nanos;
    use tokio::net::TcpStream;

    use crate::server::clock;

    /// There are no stamps.
    pub(in crate::server) fn prepare<T>(_socket: &T) -> io::Result<()> {
        Ok(())
    }

    /// Reads what is there behind what has been read, and says that it came now.
    pub(in crate::server) fn read(
        socket: &TcpStream,
        buffer: &mut BytesMut,
    ) -> io::Result<(usize, Nanos)> {
        let count = socket.try_read_buf(buffer)?;
        Ok((count, clock::now()))
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::io::Write as _;
    use std::time::Duration;

    use bytes::BytesMut;
    use tokio::net::TcpStream;

    use crate::server::clock;

    #[tokio::test]
    async fn bytes_have_the_time_at_which_they_came_and_not_that_at_which_they_were_read() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        super::prepare(&listener).unwrap();
        let mut client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (accepted, _) = listener.accept().unwrap();
        accepted.set_nonblocking(true).unwrap();
        let server = TcpStream::from_std(accepted).unwrap();
        // The system begins to stamp a moment after it is asked to.
        tokio::time::sleep(Duration::from_millis(200)).await;
        let before = clock::now();
        client.write_all(b"early").unwrap();
        let sent = clock::now();
        // The server is busy with something else.
        tokio::time::sleep(Duration::from_millis(300)).await;
        server.readable().await.unwrap();
        let mut buffer = BytesMut::from(&b"kept "[..]);
        let (count, came) = super::read(&server, &mut buffer).unwrap();
        assert_eq!((count, &buffer[..]), (5, &b"kept early"[..]));
        // The two clocks are read one after the other: a little slack on either side.
        let slack = 5_000_000;
        assert!(came.0 + slack >= before.0, "{came:?} {before:?}");
        assert!(clock::now().0 - came.0 >= 290_000_000, "{came:?} {sent:?}");
        let empty = super::read(&server, &mut buffer).unwrap_err();
        assert_eq!(empty.kind(), std::io::ErrorKind::WouldBlock);
        assert_eq!(&buffer[..], b"kept early");
    }
}
