//! stand-in until merge
pub mod link;
pub use link::Link;
/// stand-in
pub fn serve(link: Link) -> Result<(), std::io::Error> {
    while let Ok(Ok(frame)) = link.from.recv() {
        if link.to.send(frame).is_err() {
            break;
        }
    }
    Ok(())
}
