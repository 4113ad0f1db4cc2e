//! Where results go: the folder and the names in it.

use std::path::PathBuf;

use crate::perf::args::PerfArgs;

/// The last path component of the model's name; a trailing slash does not count.
pub(crate) fn model_id(model: &str) -> String {
    let id = model
        .trim_end_matches('/')
        .rsplit('/')
        .next()
        .unwrap_or_default();
    folder_name(id)
}

/// The name of the run: `--name`, else the model's.
pub(super) fn name(args: &PerfArgs, model: &str) -> String {
    match args.output.name.as_deref() {
        None | Some("") => model_id(model),
        Some(name) => name.to_owned(),
    }
}

/// `<outputs-dir>/<timestamp>/<name>`, without the timestamp where that is asked for; the folder of `--resume` where it
/// names one.
pub(super) fn folder(args: &PerfArgs, model: &str, timestamp: &str) -> PathBuf {
    if let Some(resumed) = args.sla.resume.as_ref().filter(|folder| !folder.is_empty()) {
        return PathBuf::from(resumed);
    }
    let mut folder = PathBuf::from(&args.output.outputs_dir);
    if !args.output.no_timestamp {
        folder.push(timestamp);
    }
    folder.push(folder_name(&name(args, model)));
    folder
}

/// A name that every file system takes and that stays inside its folder.
fn folder_name(name: &str) -> String {
    let safe: String = name
        .chars()
        .map(|letter| {
            if "<>:\"|?*\\/\0".contains(letter) {
                '_'
            } else {
                letter
            }
        })
        .collect();
    match safe.as_str() {
        "" | "." => "_".to_owned(),
        ".." => "__".to_owned(),
        _ => safe,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_never_leaves_its_folder() {
        for (name, safe) in [
            ("a/b:c", "a_b_c"),
            ("..", "__"),
            ("", "_"),
            ("<x>|?*\"\\\0", "_x_______"),
            ("naïve-1.5", "naïve-1.5"),
        ] {
            assert_eq!(folder_name(name), safe);
        }
    }

    #[test]
    fn a_models_id_is_its_last_component_also_with_a_slash_at_the_end() {
        assert_eq!(
            model_id("Qwen/Qwen2.5-0.5B-Instruct"),
            "Qwen2.5-0.5B-Instruct"
        );
        assert_eq!(model_id("/models/llama/"), "llama");
    }
}
