//! Samples with pictures and recordings.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::*;
use crate::dataset::sampled::audio;
use crate::plan::{
    AroundLength, HubSamples, MediaSize, PictureFiles, PictureSamples, RandomMedia, RandomSamples,
    RecordingForm, RecordingSamples,
};

fn size(height: u32, width: u32, frames: u32, weight: f64) -> MediaSize {
    MediaSize {
        height,
        width,
        frames,
        weight,
    }
}

fn pictured() -> RandomMedia {
    RandomMedia {
        text: RandomSamples {
            input: AroundLength {
                tokens: 20,
                spread: 0.0,
            },
            output: AroundLength {
                tokens: 5,
                spread: 0.0,
            },
            prefix_length: 0,
            texts: 1,
            warm: None,
        },
        items: 2,
        spread: 0.5,
        limits: BTreeMap::from([("image".to_owned(), 3), ("video".to_owned(), 1)]),
        sizes: vec![
            size(16, 24, 1, 0.5),
            size(9, 9, 1, 0.5),
            size(9, 9, 16, 0.0),
        ],
    }
}

fn media(item: &Item) -> (&str, &[Value]) {
    match &item.prompt {
        Prompt::Media { text, parts } => (text, parts),
        other => panic!("no media: {other:?}"),
    }
}

/// Height and width as a JPEG says.
fn jpeg_size(part: &Value) -> (u16, u16) {
    let url = field(part, "/image_url/url").as_str().unwrap();
    let data = url.strip_prefix("data:image/jpeg;base64,").unwrap();
    let picture = BASE64_STANDARD.decode(data).unwrap();
    let frame = picture
        .windows(2)
        .position(|mark| mark == [0xFF, 0xC0])
        .unwrap();
    let side = |at: usize| u16::from_be_bytes([picture[at], picture[at + 1]]);
    (side(frame + 5), side(frame + 7))
}

#[test]
fn noise_comes_in_the_asked_numbers_and_sizes_and_is_new_each_time() {
    let workload = open(&text_plan(SampleSource::RandomMedia(pictured()), 10));
    let mut counts = BTreeSet::new();
    let mut sizes = BTreeSet::new();
    let mut pictures = BTreeSet::new();
    let mut all = 0;
    for index in 0..40 {
        let item = workload.item(index);
        let (text, parts) = media(&item);
        assert_eq!(workload.tokenizer().unwrap().encode_whole(text).len(), 20);
        assert_eq!((item.prompt_tokens, item.max_tokens), (Some(20), Some(5)));
        counts.insert(parts.len());
        all += parts.len();
        for part in parts {
            sizes.insert(jpeg_size(part));
            pictures.insert(part.to_string());
        }
        assert_eq!(workload.item(index), item);
    }
    assert_eq!(counts, BTreeSet::from([1, 2, 3]));
    assert_eq!(sizes, BTreeSet::from([(16, 24), (9, 9)]));
    assert_eq!(pictures.len(), all);
}

/// The pictures of a film, as they lie one behind the other.
fn frames(part: &Value) -> Vec<Vec<u8>> {
    let url = field(part, "/video_url/url").as_str().unwrap();
    let data = url.strip_prefix("data:video/mp4;base64,").unwrap();
    let film = BASE64_STANDARD.decode(data).unwrap();
    let start = film.windows(4).position(|name| name == b"mdat").unwrap() + 4;
    let begins = |at: &usize| film[*at..].starts_with(b"\xFF\xD8\xFF\xE0");
    let begins: Vec<usize> = (start..film.len()).filter(begins).collect();
    let ends = begins[1..].iter().copied().chain([film.len()]);
    let pairs = begins.iter().zip(ends);
    pairs
        .map(|(begin, end)| film[*begin..end].to_vec())
        .collect()
}

#[test]
fn films_are_as_long_as_asked_and_no_frame_comes_twice() {
    let films = RandomMedia {
        items: 1,
        spread: 0.0,
        sizes: vec![size(16, 24, 5, 1.0)],
        ..pictured()
    };
    let workload = open(&text_plan(SampleSource::RandomMedia(films), 10));
    let mut seen = BTreeSet::new();
    for index in 0..4 {
        let item = workload.item(index);
        let (_, parts) = media(&item);
        assert_eq!(parts.len(), 1);
        let frames = frames(&parts[0]);
        assert_eq!(frames.len(), 5);
        seen.extend(frames);
        assert_eq!(workload.item(index), item);
    }
    assert_eq!(seen.len(), 20);
}

#[test]
fn a_kind_that_has_come_to_its_limit_is_drawn_no_more() {
    let mixed = RandomMedia {
        items: 3,
        spread: 0.0,
        sizes: vec![size(9, 9, 1, 0.1), size(9, 9, 2, 0.9)],
        limits: BTreeMap::from([("image".to_owned(), 9), ("video".to_owned(), 1)]),
        ..pictured()
    };
    let workload = open(&text_plan(SampleSource::RandomMedia(mixed.clone()), 40));
    let mut most = 0;
    for index in 0..40 {
        let item = workload.item(index);
        let (_, parts) = media(&item);
        let films = parts.iter().filter(|part| part["type"] == "video_url");
        let films = films.count();
        assert!(films <= 1 && parts.len() == 3);
        most = most.max(films);
    }
    assert_eq!(most, 1);
    check_refused(
        RandomMedia {
            limits: BTreeMap::from([("image".to_owned(), 9)]),
            ..mixed
        },
        "there is no limit for `video`",
    );
}

fn check_refused(media: RandomMedia, expected: &str) {
    let message = refused(&text_plan(SampleSource::RandomMedia(media), 5));
    assert_eq!(message, format!("data set `random-mm`: {expected}"));
}

#[test]
fn prompts_with_pictures_above_the_limit_are_left_out() {
    let mut media = pictured();
    media.text.input.spread = 0.5;
    let limited = Sampling {
        longest: Some(25),
        ..sampling(SampleSource::RandomMedia(media), 50)
    };
    let workload = open(&plan(limited, PromptForm::Text));
    let kept = workload.len().unwrap();
    assert!((10..50).contains(&kept), "{kept}");
    assert!((0..50).all(|index| workload.item(index).prompt_tokens.unwrap() <= 20));
}

#[test]
fn sizes_that_cannot_be_made_are_refused() {
    let check = |sizes: Vec<MediaSize>, expected: &str| {
        check_refused(
            RandomMedia {
                sizes,
                ..pictured()
            },
            expected,
        );
    };
    check(
        vec![size(9, 9, 0, 0.5)],
        "a film cannot be 9 x 9 with 0 frames: it has at least one, and 268435456 pixels at most",
    );
    check(
        vec![size(720, 1280, 300, 0.5)],
        "a film cannot be 720 x 1280 with 300 frames: it has at least one, and 268435456 pixels at most",
    );
    check(
        vec![size(9, 9, 1, -1.0)],
        "the share of pictures of 9 x 9 cannot be -1",
    );
    check(
        vec![size(9, 9, 1, 0.0)],
        "there is no size with a share above 0",
    );
    check(
        vec![size(9, 70_000, 1, 1.0)],
        "a picture cannot be 9 x 70000: sides are from 1 to 65535",
    );
}

#[test]
fn numbers_of_pictures_that_cannot_be_met_are_refused() {
    check_refused(
        RandomMedia {
            limits: BTreeMap::new(),
            ..pictured()
        },
        "there is no limit for `image`",
    );
    check_refused(
        RandomMedia {
            items: 9,
            spread: 0.0,
            ..pictured()
        },
        "at least 9 pictures a request are above the limit of 3",
    );
    check_refused(
        RandomMedia {
            spread: 1.5,
            ..pictured()
        },
        "the spread of the number of pictures must be from 0 to 1, not 1.5",
    );
    let ids = plan(
        sampling(SampleSource::RandomMedia(pictured()), 5),
        PromptForm::TokenIds { chat: false },
    );
    assert_eq!(
        refused(&ids),
        "data set `random-mm`: prompts with pictures cannot be token ids"
    );
}

fn pictures(path: PathBuf, files: PictureFiles) -> WorkloadPlan {
    text_plan(
        SampleSource::Pictures(PictureSamples {
            path,
            output_length: Some(9),
            files,
        }),
        9,
    )
}

#[test]
fn the_users_pictures_are_named_or_inlined() {
    let lines = [
        json!({"prompt": "What is it?", "image_files": ["/p/a.png", "https://p/b.png"]}),
        json!({"content": [
            {"type": "image", "image": "/p/c.png"},
            {"type": "text", "text": "Behind the picture."},
            {"type": "image_url", "image_url": {"url": "https://p/d.png", "detail": "low"}},
        ]}),
    ];
    let (_folder, path) = file("a.jsonl", &lines.map(|line| line.to_string()).join("\n"));
    let workload = open(&pictures(path, PictureFiles::Named));
    let item = workload.item(0);
    let (text, parts) = media(&item);
    assert_eq!((text, item.max_tokens), ("What is it?", Some(9)));
    assert_eq!(field(&parts[0], "/image_url/url"), "file:///p/a.png");
    assert_eq!(field(&parts[1], "/image_url/url"), "https://p/b.png");
    let Prompt::Messages(messages) = workload.item(1).prompt else {
        panic!("parts in an order of their own are a message")
    };
    assert_eq!(
        messages[0].content,
        json!([
            {"type": "image_url", "image_url": {"url": "file:///p/c.png"}},
            {"type": "text", "text": "Behind the picture."},
            {"type": "image_url", "image_url": {"url": "https://p/d.png", "detail": "low"}},
        ])
    );

    let (folder, path) = file("b.jsonl", "");
    let picture = folder.path().join("a.bmp");
    std::fs::write(&picture, b"BM..").unwrap();
    let line = json!({"prompt": "a", "image_files": [picture]});
    std::fs::write(&path, line.to_string()).unwrap();
    let inlined = open(&pictures(path, PictureFiles::Inlined)).item(0);
    assert_eq!(
        field(&media(&inlined).1[0], "/image_url/url"),
        "data:image/bmp;base64,Qk0uLg=="
    );
}

#[test]
fn wrong_lines_of_pictures_are_named() {
    let check = |line: Value, expected: &str| {
        let (folder, path) = file("a.jsonl", &line.to_string());
        let message = refused(&pictures(path, PictureFiles::Inlined));
        assert_eq!(
            without(&message, folder.path()),
            format!("a.jsonl, line 1: {expected}")
        );
    };
    check(
        json!({"prompt": "a"}),
        "it must have either `prompt` and `image_files` or `content`",
    );
    check(
        json!({"prompt": "a", "image_files": ["https://p/b.png"]}),
        "https://p/b.png would have to be downloaded to be part of the request: store it as a file and name that",
    );
    check(
        json!({"prompt": "a", "image_files": ["/none.png"]}),
        "cannot read /none.png: No such file or directory (os error 2)",
    );
    check(
        json!({"content": [{"type": "sound"}]}),
        "a part must be of type `text`, `image` or `image_url`, not {\"type\":\"sound\"}",
    );
    check(
        json!({"content": [{"type": "image", "image": 4}]}),
        "a picture must be an address or a path, not 4",
    );
}

fn recordings(path: PathBuf, sent: RecordingForm) -> WorkloadPlan {
    text_plan(
        SampleSource::Recordings(RecordingSamples {
            path,
            output_length: Some(30),
            sent,
        }),
        9,
    )
}

#[test]
fn recordings_are_files_or_parts_of_a_message() {
    let (folder, path) = file("a.jsonl", "");
    let sound = folder.path().join("a.wav");
    std::fs::write(&sound, audio::wav(&[0.5; 100], 1000)).unwrap();
    let lines = [
        json!({"prompt": "Write it down.", "audio": sound}),
        json!({"audio": {"array": [0.0, 1.0, -1.0, 0.0], "sampling_rate": 8}}),
    ];
    std::fs::write(&path, lines.map(|line| line.to_string()).join("\n")).unwrap();
    let files = open(&recordings(path.clone(), RecordingForm::File));
    let lengths: Vec<(String, u64)> = (0..2)
        .map(|index| match files.item(index).prompt {
            Prompt::Audio(audio) => (audio.file_name.clone(), audio.length.0 / 1_000_000),
            other => panic!("no recording: {other:?}"),
        })
        .collect();
    assert_eq!(
        lengths,
        [("a.wav".to_owned(), 100), ("2.wav".to_owned(), 500)]
    );
    assert_eq!(files.item(0).max_tokens, Some(30));
    let parts = open(&recordings(path, RecordingForm::Part));
    let item = parts.item(0);
    let (text, sounds) = media(&item);
    assert_eq!(text, "Write it down.");
    assert_eq!(field(&sounds[0], "/input_audio/format"), "wav");
    let data = field(&sounds[0], "/input_audio/data").as_str().unwrap();
    assert_eq!(
        BASE64_STANDARD.decode(data).unwrap(),
        std::fs::read(sound).unwrap()
    );
}

#[test]
fn wrong_recordings_are_named() {
    let (folder, path) = file("a.jsonl", "");
    let sound = folder.path().join("a.mp3");
    std::fs::write(&sound, b"ID3").unwrap();
    std::fs::write(&path, json!({"audio": sound}).to_string()).unwrap();
    let message = refused(&recordings(path, RecordingForm::File));
    assert_eq!(
        without(&message, folder.path()),
        "a.jsonl, line 1: a.mp3: it is no WAV, FLAC or MP3 file, whose lengths can be told"
    );
}

#[test]
fn recordings_of_the_hub_are_filtered_by_their_length() {
    let of_length = |least, most| HubSamples {
        name: "facebook/voxpopuli".to_owned(),
        path: Some(fixture("hub/voxpopuli.parquet")),
        subset: None,
        split: None,
        output_length: None,
        categories: vec![],
        distance: (0.0, 1.0),
        seconds: (least, most),
    };
    let open_hub = |samples| open(&text_plan(SampleSource::Hub(samples), 9));
    let all = open_hub(of_length(0.0, None));
    assert_eq!(all.len(), Some(2));
    let some = open_hub(of_length(0.05, Some(1.0)));
    assert_eq!(some.len(), Some(1));
    let item = some.item(0);
    let Prompt::Audio(recording) = &item.prompt else {
        panic!("no recording: {item:?}")
    };
    assert_eq!(
        (recording.file_name.as_str(), recording.length.0),
        ("b.wav", 100_000_000)
    );
    assert_eq!(item.max_tokens, Some(1024));
    let message = refused(&text_plan(SampleSource::Hub(of_length(5.0, Some(6.0))), 9));
    assert!(message.contains("no sample of"), "{message}");
}
