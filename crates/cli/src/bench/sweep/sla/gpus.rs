//! How many GPUs a server's command takes: the product of its parallel sizes.
//!
//! Asks no machine. A size that is not in the command counts as 1, as servers take it.

use super::super::overrides::Alias;

/// Names of each size in the commands of servers: vLLM's, SGLang's and TensorRT-LLM's.
const SIZES: [&[&str]; 3] = [
    &[
        "--tensor-parallel-size",
        "-tp",
        "--tp",
        "--tp-size",
        "--tp_size",
    ],
    &[
        "--pipeline-parallel-size",
        "-pp",
        "--pp",
        "--pp-size",
        "--pp_size",
    ],
    &[
        "--data-parallel-size",
        "-dp",
        "--dp",
        "--dp-size",
        "--dp_size",
    ],
];

/// The GPUs of a server that is started by `command`.
pub(crate) fn of(command: &[String], aliases: &[Alias]) -> u64 {
    let sizes = SIZES.iter().map(|names| told(command, names, aliases));
    sizes.map(|size| size.unwrap_or(1)).product()
}

/// One of the sizes, by its key such as `tensor_parallel_size`; `None` where the command does not say it.
pub(crate) fn size(command: &[String], key: &str, aliases: &[Alias]) -> Option<u64> {
    let plain = key.replace('_', "-");
    let names = SIZES.iter().find(|names| names[0][2..] == plain)?;
    told(command, names, aliases)
}

/// The last occurrence wins, as for any flag.
fn told(command: &[String], names: &[&str], aliases: &[Alias]) -> Option<u64> {
    let plain = |word: &str| word.replace('_', "-");
    let full = names[0].trim_start_matches("--");
    let shorts: Vec<&str> = aliases
        .iter()
        .filter(|alias| plain(&alias.key) == full)
        .map(|alias| alias.short.as_str())
        .collect();
    let is_name = |word: &str| {
        names.iter().any(|name| plain(word) == plain(name))
            || shorts.contains(&word.trim_start_matches('-')) && word.starts_with('-')
    };
    let mut found = None;
    for (place, word) in command.iter().enumerate() {
        let value = match word.split_once('=') {
            Some((name, value)) if is_name(name) => Some(value),
            None if is_name(word) => command.get(place + 1).map(String::as_str),
            _ => None,
        };
        if let Some(size) = value.and_then(|value| value.parse::<u64>().ok()) {
            found = Some(size.max(1));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gpus_are_the_product_of_all_parallel_sizes_however_they_are_spelt() {
        let check = |command: &str, expected: u64| {
            let words: Vec<String> = command.split(' ').map(str::to_owned).collect();
            let alias = Alias {
                short: "t".to_owned(),
                key: "tensor_parallel_size".to_owned(),
            };
            assert_eq!(of(&words, &[alias]), expected, "{command}");
        };
        check("vllm serve m", 1);
        check("vllm serve m --tensor-parallel-size 4", 4);
        check("vllm serve m --tensor_parallel_size=4 -pp 2", 8);
        check("vllm serve m -tp 2 -dp 3 --max-num-seqs 64", 6);
        check("vllm serve m -t 2", 2);
        check("python -m sglang.launch_server --tp-size 8 --dp 2", 16);
        check("vllm serve m --tp 2 --tp 4", 4);
        check("vllm serve m --tp all", 1);
        check("vllm serve tp 4", 1);
        let words = ["s", "-tp", "4"].map(str::to_owned);
        assert_eq!(size(&words, "tensor_parallel_size", &[]), Some(4));
        assert_eq!(size(&words, "data_parallel_size", &[]), None);
    }
}
