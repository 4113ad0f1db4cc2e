//! Sizes of random pictures as they are typed: `{(256, 256, 1): 0.5, "(720, 1280, 16)": 0}`.

use crestline_workload::plan::MediaSize;

use crate::problem::Problem;

const FLAG: &str = "--random-mm-bucket-config";

/// Reads a dictionary of height, width and frames to shares; keys may stand in quotes.
pub(super) fn read(text: &str) -> Result<Vec<MediaSize>, Problem> {
    let wrong = || {
        Problem::usage(format!("{FLAG} cannot be {text}"))
            .hint(format!("write {FLAG} '{{(256, 256, 1): 0.7, (720, 1280, 1): 0.3}}': height, width, frames and a share"))
    };
    let mut rest = inner(text, '{', '}').ok_or_else(wrong)?.trim();
    let mut sizes = Vec::new();
    while !rest.is_empty() {
        let (size, after) = entry(rest).ok_or_else(wrong)?;
        sizes.push(size);
        rest = after;
    }
    if sizes.is_empty() {
        return Err(wrong());
    }
    Ok(sizes)
}

fn inner(text: &str, open: char, close: char) -> Option<&str> {
    text.trim().strip_prefix(open)?.strip_suffix(close)
}

/// One size with its share, and what follows.
fn entry(text: &str) -> Option<(MediaSize, &str)> {
    let (key, rest) = text.split_once(')')?;
    let numbers = key
        .trim()
        .trim_start_matches(['"', '\''])
        .strip_prefix('(')?;
    let numbers: Vec<u32> = numbers
        .trim_end_matches(',')
        .split(',')
        .map(|number| number.trim().parse().ok())
        .collect::<Option<_>>()?;
    let [height, width, frames] = numbers[..] else {
        return None;
    };
    let rest = rest
        .trim_start_matches(['"', '\''])
        .trim_start()
        .strip_prefix(':')?;
    let (weight, rest) = rest.split_once(',').unwrap_or((rest, ""));
    let weight: f64 = weight.trim().parse().ok()?;
    let size = MediaSize {
        height,
        width,
        frames,
        weight,
    };
    let sound = height > 0 && width > 0 && frames > 0 && weight.is_finite() && weight >= 0.0;
    sound.then_some((size, rest.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_and_without_quotes() {
        let sizes = read(r#"{(256, 256, 1): 0.5, "(720,1280,16)": 0, '(1, 2, 3)':1e-1,}"#).unwrap();
        let shown: Vec<_> = sizes
            .iter()
            .map(|size| (size.height, size.width, size.frames, size.weight))
            .collect();
        assert_eq!(
            shown,
            [(256, 256, 1, 0.5), (720, 1280, 16, 0.0), (1, 2, 3, 0.1)]
        );
    }

    #[test]
    fn what_is_no_dictionary_of_sizes_is_refused() {
        for text in [
            "",
            "{}",
            "{(1,2): 3}",
            "{(1,2,3) 4}",
            "{(1,2,3): x}",
            "{(0,1,1): 1}",
            "{(1,1,1): -1}",
            "(1,1,1): 1",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
