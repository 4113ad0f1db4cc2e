//! For tests: that the SVG of a figure is XML, that nothing of it lies outside of its edges, and that a page shows the same.

use super::Picture;
use super::theme::{STRONG, TEXT, TITLE};

/// All elements whose place a reader can check, with what they cover: left, top, right, bottom.
fn covered(document: &roxmltree::Document<'_>) -> Vec<(String, [f64; 4])> {
    let drawn = document.descendants().filter(roxmltree::Node::is_element);
    drawn
        .filter_map(|node| {
            let number = |name| {
                node.attribute(name)
                    .map(|text| text.parse::<f64>().unwrap())
            };
            let area = match node.tag_name().name() {
                "rect" => {
                    let [x, y] = ["x", "y"].map(|name| number(name).unwrap());
                    let [width, height] = ["width", "height"].map(|name| number(name).unwrap());
                    [x, y, x + width, y + height]
                }
                "circle" => {
                    let [x, y, radius] = ["cx", "cy", "r"].map(|name| number(name).unwrap());
                    [x - radius, y - radius, x + radius, y + radius]
                }
                "polyline" | "polygon" => around(node.attribute("points").unwrap()),
                "text" => written(&node, number("x").unwrap(), number("y").unwrap()),
                _ => return None,
            };
            Some((
                node.range().len().to_string() + node.tag_name().name(),
                area,
            ))
        })
        .collect()
}

fn around(points: &str) -> [f64; 4] {
    let edges = [
        f64::INFINITY,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::NEG_INFINITY,
    ];
    points
        .split(' ')
        .fold(edges, |[left, top, right, bottom], pair| {
            let (x, y) = pair.split_once(',').unwrap();
            let (x, y): (f64, f64) = (x.parse().unwrap(), y.parse().unwrap());
            [left.min(x), top.min(y), right.max(x), bottom.max(y)]
        })
}

fn written(node: &roxmltree::Node<'_, '_>, x: f64, y: f64) -> [f64; 4] {
    let letters = match node.attribute("class") {
        Some("title") => TITLE,
        Some("strong") => STRONG,
        _ => TEXT,
    };
    let (width, size) = (letters.width(node.text().unwrap_or_default()), letters.size);
    if node.attribute("transform").is_some() {
        return [x - size, y - width / 2.0, x, y + width / 2.0];
    }
    let left = match node.attribute("text-anchor") {
        Some("middle") => x - width / 2.0,
        Some("end") => x - width,
        _ => x,
    };
    [left, y - size, left + width, y]
}

/// That it is XML, and that nothing of it lies outside.
pub(super) fn check(svg: &str) {
    let document = roxmltree::Document::parse(svg).unwrap();
    let shown = document.root_element().attribute("viewBox").unwrap();
    let shown: Vec<f64> = shown.split(' ').map(|edge| edge.parse().unwrap()).collect();
    for (what, [left, top, right, bottom]) in covered(&document) {
        assert!(
            left >= 0.0 && top >= 0.0 && right <= shown[2] && bottom <= shown[3],
            "{what} covers {left} {top} {right} {bottom} of {shown:?}"
        );
    }
    assert!(!svg.contains("NaN") && !svg.contains("inf,"));
}

/// That what a page has of a figure is the figure, with its plots.
pub(super) fn check_page(picture: &Picture) {
    let (file, page) = (picture.svg(), picture.of_page());
    let [file, element] =
        [&file, &page.element].map(|svg| roxmltree::Document::parse(svg).unwrap());
    let shapes = |document: &roxmltree::Document<'_>| -> Vec<String> {
        let drawn = document.descendants().filter(|node| {
            ["rect", "circle", "polyline", "polygon", "text"].contains(&node.tag_name().name())
        });
        let known = |name: &str| name != "data-as";
        drawn
            .map(|node| {
                let attributes = node.attributes().filter(|it| known(it.name()));
                let attributes = attributes.map(|it| format!("{}={}", it.name(), it.value()));
                attributes.collect::<Vec<_>>().join(" ") + node.text().unwrap_or_default()
            })
            .collect()
    };
    assert_eq!(shapes(&file), shapes(&element));
    let plots: Vec<serde_json::Value> = serde_json::from_str(&page.plots).unwrap();
    let named = |name: &'static str| {
        let nodes = element.descendants();
        nodes
            .filter_map(move |node| node.attribute(name))
            .map(str::to_owned)
    };
    for plot in named("data-plot") {
        assert!(plot.parse::<usize>().unwrap() < plots.len(), "{plot}");
    }
    let hidden = named("data-part").filter(|part| part == "words").count();
    // A figure without a title of its own may hide its other words all the same.
    let own = file
        .descendants()
        .find(|node| node.tag_name().name() == "title");
    let is_titled = own.and_then(|title| title.text()).is_some();
    assert!(
        !is_titled || page.title.is_empty() == (hidden == 0),
        "{hidden} groups of words"
    );
}
