//! The colours of figures, on light and on dark screens.
//!
//! Good and bad differ in form as well as in colour, and the two colours can be told apart by those who see no red or no green.

/// The class of every figure, so that its rules touch nothing else on a page.
pub(super) const ROOT: &str = "crestline-figure";

/// Stages of a search that have a colour of their own; further ones begin anew.
pub(super) const STAGES: usize = 6;

/// What a class looks like: at all times, on light screens, on dark screens.
type Rule = (&'static str, &'static str, &'static str, &'static str);

const RULES: [Rule; 22] = [
    (
        "text",
        "font-family:system-ui,-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif;font-size:12px",
        "fill:#1f2328",
        "fill:#e6edf3",
    ),
    (".title", "font-size:15px;font-weight:600", "", ""),
    (".strong", "font-weight:600", "", ""),
    (".quiet", "", "fill:#59636e", "fill:#9aa4ae"),
    (".ground", "", "fill:#ffffff", "fill:#0d1117"),
    (".plot", "", "fill:#f6f8fa", "fill:#161b22"),
    (
        ".grid",
        "fill:none;stroke-width:1",
        "stroke:#dfe4e9",
        "stroke:#2a313a",
    ),
    (
        ".settle",
        "",
        "fill:#afb8c1;fill-opacity:.34",
        "fill:#6e7681;fill-opacity:.34",
    ),
    (
        ".band",
        "",
        "fill:#0969da;fill-opacity:.14",
        "fill:#58a6ff;fill-opacity:.20",
    ),
    (
        ".range",
        "",
        "fill:#0969da;fill-opacity:.45",
        "fill:#58a6ff;fill-opacity:.55",
    ),
    (
        ".reported",
        "fill:none;stroke-width:2",
        "stroke:#0550ae",
        "stroke:#79c0ff",
    ),
    (
        ".likely",
        "fill:none;stroke-width:1.5;stroke-dasharray:5 4",
        "stroke:#0550ae",
        "stroke:#79c0ff",
    ),
    (
        ".step",
        "fill:none;stroke-width:1.3",
        "stroke:#6e7781",
        "stroke:#8b949e",
    ),
    (
        ".meets",
        "stroke-width:2.6",
        "fill:#00856f;stroke:#00856f",
        "fill:#35c9a5;stroke:#35c9a5",
    ),
    (
        ".misses",
        "stroke-width:2.6",
        "fill:#c4420a;stroke:#c4420a",
        "fill:#ff8a4c;stroke:#ff8a4c",
    ),
    (
        ".open",
        "stroke-width:1.6",
        "fill:#ffffff;stroke:#6e7781",
        "fill:#0d1117;stroke:#8b949e",
    ),
    (".stage-0", "", "fill:#d0d7de", "fill:#3d444d"),
    (".stage-1", "", "fill:#ddd0f5", "fill:#4b3b73"),
    (".stage-2", "", "fill:#f6dcb5", "fill:#6b4a14"),
    (".stage-3", "", "fill:#bfdcf8", "fill:#1d4a78"),
    (".stage-4", "", "fill:#bfe8cf", "fill:#1f5a3a"),
    (".stage-5", "", "fill:#f6cfdc", "fill:#70304a"),
];

/// All rules, as a style sheet.
pub(super) fn style() -> String {
    let rules = |part: fn(&Rule) -> String| -> String {
        let looks = RULES.iter().map(|rule| (rule.0, part(rule)));
        looks
            .filter(|(_, looks)| !looks.is_empty())
            .fold(String::new(), |all, (class, looks)| {
                format!("{all}.{ROOT} {class}{{{looks}}}\n")
            })
    };
    let light = rules(|rule| {
        let parts = [rule.1, rule.2].into_iter().filter(|part| !part.is_empty());
        parts.collect::<Vec<_>>().join(";")
    });
    let dark = rules(|rule| rule.3.to_owned());
    format!("{light}@media (prefers-color-scheme:dark){{\n{dark}}}\n")
}

#[cfg(test)]
mod tests {
    use super::{RULES, STAGES, style};

    #[test]
    fn what_has_a_colour_on_light_screens_has_one_on_dark_screens() {
        for (class, _, light, dark) in RULES {
            assert_eq!(light.is_empty(), dark.is_empty(), "{class}");
        }
    }

    #[test]
    fn every_stage_has_a_colour() {
        for stage in 0..STAGES {
            assert!(style().contains(&format!(".stage-{stage}{{")), "{stage}");
        }
    }
}
