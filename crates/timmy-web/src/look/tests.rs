//! The look keeps its promises: contrast, weight, no inline style or script, every symbol there.

use std::collections::HashMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::assets;

fn here() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn static_file(name: &str) -> &'static str {
    let asset = assets::all().iter().find(|asset| asset.name == name).unwrap_or_else(|| panic!("no {name}"));
    std::str::from_utf8(&asset.bytes).unwrap_or_else(|e| panic!("{name}: {e}"))
}

fn templates() -> Vec<(PathBuf, String)> {
    fn walk(dir: &Path, out: &mut Vec<(PathBuf, String)>) {
        for entry in fs::read_dir(dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display())).flatten() {
            let path = entry.path();
            if path.is_dir() {
                walk(&path, out);
            } else if path.extension().is_some_and(|x| x == "html") {
                out.push((
                    path.clone(),
                    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display())),
                ));
            }
        }
    }
    let mut out = Vec::new();
    walk(&here().join("templates"), &mut out);
    assert!(out.len() > 20, "the templates were not found");
    out
}

fn gzipped(bytes: &[u8]) -> usize {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(6));
    encoder.write_all(bytes).and_then(|()| encoder.finish()).map_or(usize::MAX, |out| out.len())
}

/// The tokens `--name: #RRGGBB` of one rule body.
fn tokens(body: &str) -> HashMap<&str, [f64; 3]> {
    let colour = |hex: &str| -> Option<[f64; 3]> {
        let part = |at: usize| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok().map(f64::from);
        Some([part(0)?, part(2)?, part(4)?])
    };
    let declared = body.split(';').filter_map(|line| line.trim().strip_prefix("--")?.split_once(':'));
    declared.filter_map(|(name, value)| Some((name, colour(value.trim().strip_prefix('#')?)?))).collect()
}

/// Relative luminance and contrast ratio: WCAG 2.2, definitions of both terms.
fn contrast(a: [f64; 3], b: [f64; 3]) -> f64 {
    let luminance = |rgb: [f64; 3]| {
        let part = |c: f64| {
            let c = c / 255.0;
            if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * part(rgb[0]) + 0.7152 * part(rgb[1]) + 0.0722 * part(rgb[2])
    };
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

fn body_after<'a>(css: &'a str, selector: &str) -> &'a str {
    let at = css.find(selector).unwrap_or_else(|| panic!("no rule {selector}"));
    let open = at + css[at..].find('{').unwrap_or_default() + 1;
    &css[open..open + css[open..].find('}').unwrap_or_default()]
}

#[test]
fn both_themes_are_readable() {
    let css = static_file("app.css");
    let light = tokens(body_after(css, ":root {"));
    let dark = tokens(body_after(css, ":root[data-theme=\"dark\"] {"));
    let dark_by_system = tokens(body_after(css, ":root:not([data-theme=\"light\"]) {"));
    assert_eq!(dark, dark_by_system, "the two ways into the dark differ");
    let text = ["ink", "ink-2", "ink-3", "voice", "ember", "live", "ok", "warn", "bad"];
    for (theme, of) in [("light", &light), ("dark", &dark)] {
        for ground in ["bg", "surface", "raised"] {
            for token in text {
                let ratio = contrast(of[token], of[ground]);
                assert!(ratio >= 4.5, "{theme}: {token} on {ground} is {ratio:.2}, text asks 4.5");
            }
            let ratio = contrast(of["line-strong"], of[ground]);
            assert!(ratio >= 3.0, "{theme}: line-strong on {ground} is {ratio:.2}, borders ask 3.0");
        }
        let ratio = contrast(of["on-voice"], of["voice"]);
        assert!(ratio >= 4.5, "{theme}: on-voice on voice is {ratio:.2}");
        let count = contrast(of["bg"], of["ember"]);
        assert!(count >= 4.5, "{theme}: the count on ember is {count:.2}");
    }
}

#[test]
fn contrast_is_computed_as_the_standard_says() {
    assert!((contrast([0.0; 3], [255.0; 3]) - 21.0).abs() < 0.001);
    assert!((contrast([255.0; 3], [119.0, 119.0, 119.0]) - 4.478).abs() < 0.01);
}

#[test]
fn no_template_holds_a_style_or_a_handler() {
    for (path, text) in templates() {
        let lower = text.to_lowercase();
        for banned in ["style=", "<style", "javascript:", "http://", "https://", "hx-on", "|safe", "hx-vals"] {
            let found = lower.replace("http-equiv", "");
            assert!(!found.contains(banned), "{} holds {banned}", path.display());
        }
        let handler = lower.split_whitespace().any(|word| {
            word.strip_prefix("on")
                .and_then(|rest| rest.split_once('='))
                .is_some_and(|(name, _)| !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase()))
        });
        assert!(!handler, "{} holds an inline handler", path.display());
        for script in lower.match_indices("<script").map(|(at, _)| &lower[at..]) {
            assert!(script.starts_with("<script src="), "{} holds an inline script", path.display());
        }
    }
}

#[test]
fn every_form_carries_the_secret_or_changes_nothing() {
    for (path, text) in templates() {
        for (at, _) in text.match_indices("<form") {
            let form = &text[at..at + text[at..].find("</form>").unwrap_or_default()];
            let open = path.ends_with("login.html") || form.contains("method=\"get\"");
            assert!(open || form.contains("name=\"csrf\""), "{}: a form without csrf: {form}", path.display());
            assert!(form.contains("action="), "{}: a form that needs a script", path.display());
        }
    }
}

#[test]
fn every_symbol_that_is_drawn_is_in_the_sprite() {
    let sprite = static_file("icons.svg");
    let mut names: Vec<String> = Vec::new();
    for (_, text) in templates() {
        names.extend(text.split("self::icon(\"").skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned));
    }
    names.extend(crate::nav::PAGES.iter().map(|page| page.icon.to_owned()));
    names.extend(crate::nav::groups().map(|group| group.icon().to_owned()));
    names.extend(timmy_domain::Life::ALL.map(|life| life.name().to_owned()));
    names.extend(timmy_domain::Severity::ALL.map(|s| super::State::of_severity(s).icon.to_owned()));
    names.extend(timmy_domain::SeedType::ALL.map(|seed| super::mind::seed_icon(seed).to_owned()));
    for name in names.iter().map(String::as_str).chain(["lock", "off", "owner", "local", "remote", "reflex", "folder"])
    {
        assert!(sprite.contains(&format!("id=\"{name}\"")), "no symbol {name}");
    }
    let drawn = |id: &str| names.iter().any(|name| name == id) || in_code(id);
    for id in sprite.split("<symbol id=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(drawn(id), "symbol {id} is never drawn");
    }
}

fn in_code(id: &str) -> bool {
    let quoted = format!("\"{id}\"");
    let files = fs::read_dir(here().join("src/look")).into_iter().flatten().flatten();
    files
        .filter(|f| !f.path().ends_with("tests.rs"))
        .any(|f| fs::read_to_string(f.path()).is_ok_and(|text| text.contains(&quoted)))
}

#[test]
fn the_first_visit_stays_light() {
    let size = |name: &str| gzipped(static_file(name).as_bytes());
    let own = size("app.js") + size("live.js") + size("talk.js") + size("tasks.js");
    assert!(size("app.css") <= 14_000, "app.css: {}", size("app.css"));
    assert!(own <= 18_000, "own scripts: {own}");
    assert!(own + size("htmx.min.js") <= 35_000, "scripts: {}", own + size("htmx.min.js"));
    assert!(static_file("icons.svg").len() <= 8_000, "icons.svg: {}", static_file("icons.svg").len());
}

#[test]
fn htmx_is_the_file_that_vendor_md_names() {
    let asset = assets::all().iter().find(|asset| asset.name == "htmx.min.js").unwrap_or_else(|| panic!("no htmx"));
    let vendor = fs::read_to_string(here().join("static/vendor.md")).unwrap_or_default();
    use sha2::Digest as _;
    let hash: String = sha2::Sha256::digest(&asset.bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(vendor.contains(&hash), "vendor.md does not name {hash}");
    assert!(vendor.contains("2.0.11") && static_file("htmx.min.js").contains("2.0.11"));
}

#[test]
fn an_address_holds_the_hash_of_its_file() {
    let css = assets::all().iter().find(|asset| asset.name == "app.css").unwrap_or_else(|| panic!("no app.css"));
    assert_eq!(css.url, format!("/static/{}/app.css", css.hash));
    assert!(assets::find(&css.hash, "app.css").is_some());
    assert!(assets::find("000000000000", "app.css").is_none());
    assert_eq!(assets::asset("nowhere.css"), "/static/unknown");
    assert!(super::icon("x\"><script>").to_string().contains("#\"/>"));
}
