//! Enough of an HTML reader to look at pages that this house writes, and what is looked for in them.

use std::collections::{BTreeMap, BTreeSet};

/// Elements without an end.
const VOID: [&str; 10] = ["meta", "link", "input", "br", "hr", "img", "rect", "use", "circle", "path"];
/// Attributes that lead somewhere.
const ADDRESSES: [&str; 12] = [
    "href",
    "src",
    "action",
    "formaction",
    "poster",
    "data",
    "srcset",
    "hx-get",
    "hx-post",
    "hx-delete",
    "data-fragment",
    "cite",
];

/// One element.
#[derive(Debug)]
pub struct Element<'t> {
    pub name: &'t str,
    attributes: BTreeMap<&'t str, &'t str>,
    /// The text inside it, tags left out.
    pub text: String,
    /// Positions of the elements it stands in, outermost first.
    above: Vec<usize>,
}

impl<'t> Element<'t> {
    pub fn value(&self, name: &str) -> Option<&'t str> {
        self.attributes.get(name).copied()
    }

    fn shown(&self) -> String {
        let id = self.value("id").or_else(|| self.value("class")).unwrap_or_default();
        format!("<{} {id}> {:.40}", self.name, self.text.trim())
    }
}

/// A page as its elements.
#[derive(Debug, Default)]
pub struct Document<'t> {
    pub elements: Vec<Element<'t>>,
}

impl<'t> Document<'t> {
    pub fn read(text: &'t str) -> Self {
        let mut document = Self::default();
        let mut open: Vec<usize> = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find('<') {
            document.add_text(&open, &rest[..at]);
            let end = rest[at..].find('>').map_or(rest.len(), |end| at + end);
            let tag = &rest[at + 1..end];
            rest = rest.get(end + 1..).unwrap_or_default();
            if let Some(name) = tag.strip_prefix('/') {
                let opened = open.iter().rposition(|i| document.elements[*i].name == name);
                assert!(
                    opened.is_some_and(|o| o + 1 == open.len()),
                    "</{name}> closes {:?}",
                    open.last().map(|i| &document.elements[*i])
                );
                open.truncate(opened.unwrap_or(0));
            } else if !tag.starts_with('!') {
                let element = element(tag.trim_end_matches('/'), &open);
                let name = element.name;
                document.elements.push(element);
                if !(tag.ends_with('/') || VOID.contains(&name)) {
                    open.push(document.elements.len() - 1);
                }
            }
        }
        assert!(
            open.is_empty(),
            "never closed: {:?}",
            open.iter().map(|i| document.elements[*i].name).collect::<Vec<_>>()
        );
        document
    }

    fn add_text(&mut self, open: &[usize], text: &str) {
        for at in open {
            self.elements[*at].text.push_str(text);
        }
    }

    pub fn all<'d>(&'d self, name: &'d str) -> impl Iterator<Item = &'d Element<'t>> + 'd {
        self.elements.iter().filter(move |element| element.name == name)
    }

    /// Every address on the page.
    pub fn addresses(&self) -> Vec<&'t str> {
        let of = |element: &Element<'t>| ADDRESSES.iter().filter_map(|name| element.value(name)).collect::<Vec<_>>();
        self.elements.iter().flat_map(of).collect()
    }

    fn inside(&self, element: &Element<'_>, name: &str) -> bool {
        element.above.iter().any(|at| self.elements[*at].name == name)
    }

    /// The words by which it is known to those who do not see it.
    fn known_as(&self, element: &Element<'_>) -> String {
        if let Some(label) = element.value("aria-label") {
            return label.trim().to_owned();
        }
        if let Some(ids) = element.value("aria-labelledby") {
            let named =
                |id: &str| self.elements.iter().find(|e| e.value("id") == Some(id)).map(|e| e.text.trim().to_owned());
            return ids.split_whitespace().filter_map(named).collect::<Vec<_>>().join(" ");
        }
        element.text.trim().to_owned()
    }
}

fn element<'t>(tag: &'t str, open: &[usize]) -> Element<'t> {
    let (name, mut rest) = tag.split_at(tag.find(char::is_whitespace).unwrap_or(tag.len()));
    let mut attributes = BTreeMap::new();
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            break;
        }
        let end = rest.find(|c: char| c.is_whitespace() || c == '=').unwrap_or(rest.len());
        let key = &rest[..end];
        rest = &rest[end..];
        let mut value = "";
        if let Some(after) = rest.strip_prefix('=') {
            let quote = after.chars().next().unwrap_or('"');
            assert!(quote == '"' || quote == '\'', "an attribute without quotes in <{tag}>");
            let close = after[1..].find(quote).unwrap_or_else(|| panic!("an attribute is not closed in <{tag}>"));
            value = &after[1..=close];
            rest = &after[close + 2..];
        }
        assert!(attributes.insert(key, value).is_none(), "{key} twice in <{tag}>");
    }
    Element { name, attributes, text: String::new(), above: open.to_vec() }
}

/// Whether a fault is about what only pages behind the door have.
pub fn of_the_shell(fault: &str) -> bool {
    fault.contains("landmark") || fault.contains("skip")
}

/// What is wrong with a page.
pub fn faults(page: &Document<'_>) -> Vec<String> {
    let mut faults = Vec::new();
    anatomy(page, &mut faults);
    ids(page, &mut faults);
    controls(page, &mut faults);
    pictures(page, &mut faults);
    nothing_inline(page, &mut faults);
    faults
}

fn anatomy(page: &Document<'_>, faults: &mut Vec<String>) {
    let mut check = |fine: bool, what: &str| {
        if !fine {
            faults.push(what.to_owned());
        }
    };
    let count = |name: &str| page.all(name).count();
    check(page.all("html").any(|e| e.value("lang") == Some("en")), "no language");
    check(page.all("title").any(|e| !e.text.trim().is_empty()), "no title");
    check(page.all("meta").any(|e| e.value("name") == Some("viewport")), "no viewport");
    check(count("h1") == 1, "not one h1");
    check(count("main") == 1 && page.all("main").all(|e| e.value("id") == Some("main")), "landmark main");
    check(count("header") == 1, "landmark header");
    check(count("nav") >= 1, "landmark nav");
    check(
        page.all("nav").all(|e| !page.known_as(e).is_empty() && e.value("aria-label").is_some()),
        "landmark nav without a name",
    );
    let first = page.elements.iter().find(|e| matches!(e.name, "a" | "button" | "input"));
    check(
        first.is_some_and(|e| e.value("class") == Some("skip") && e.value("href") == Some("#main")),
        "the skip link is not first",
    );
    let mut last = 0;
    for heading in page.elements.iter().filter(|e| e.name.len() == 2 && e.name.starts_with('h') && e.name != "hr") {
        let level: usize = heading.name[1..].parse().unwrap_or(9);
        // The names of the groups at the side stand before the heading of the page.
        if page.inside(heading, "nav") {
            continue;
        }
        check(level <= last + 1, &format!("h{last} is followed by {}", heading.shown()));
        check(!heading.text.trim().is_empty(), &format!("an empty heading {}", heading.shown()));
        last = level;
    }
}

fn ids(page: &Document<'_>, faults: &mut Vec<String>) {
    let mut known = BTreeSet::new();
    for id in page.elements.iter().filter_map(|e| e.value("id")) {
        if id.is_empty() || !known.insert(id) {
            faults.push(format!("the id {id:?} twice or empty"));
        }
    }
    for element in &page.elements {
        for name in ["for", "aria-labelledby", "aria-describedby", "aria-controls", "popovertarget", "list", "headers"]
        {
            for id in element.value(name).unwrap_or_default().split_whitespace() {
                if !known.contains(id) {
                    faults.push(format!("{name}={id} leads nowhere in {}", element.shown()));
                }
            }
        }
    }
}

fn controls(page: &Document<'_>, faults: &mut Vec<String>) {
    for field in page.elements.iter().filter(|e| matches!(e.name, "input" | "select" | "textarea")) {
        let unseen = field.value("hidden").is_some()
            || (field.value("aria-hidden") == Some("true") && field.value("tabindex") == Some("-1"));
        if unseen || matches!(field.value("type"), Some("hidden" | "submit")) {
            continue;
        }
        let labelled = field.value("id").is_some_and(|id| {
            page.all("label").any(|label| label.value("for") == Some(id) && !label.text.trim().is_empty())
        });
        let named = ["aria-label", "aria-labelledby"]
            .iter()
            .any(|name| field.value(name).is_some_and(|v| !v.trim().is_empty()));
        if !(labelled || named || page.inside(field, "label")) {
            faults.push(format!("a field without a label: {} {:?}", field.shown(), field.value("name")));
        }
    }
    for act in page.elements.iter().filter(|e| matches!(e.name, "a" | "button" | "summary")) {
        // The words that a script puts in come later.
        let late = act.value("hidden").is_some();
        if page.known_as(act).is_empty() && !late {
            faults.push(format!("an act without a name: {} {:?}", act.shown(), act.value("href")));
        }
        if act.name == "a" && act.value("href").is_none() {
            faults.push(format!("a link that leads nowhere: {}", act.shown()));
        }
        if act.above.iter().any(|at| matches!(page.elements[*at].name, "a" | "button")) {
            faults.push(format!("an act inside another: {}", act.shown()));
        }
    }
    for form in page.all("form") {
        if form.value("action").is_none() {
            faults.push(format!("a form without an address: {}", form.shown()));
        }
    }
    for table in page.all("table") {
        let scoped = page.all("th").all(|th| th.value("scope").is_some());
        if !scoped || !page.all("caption").any(|c| !c.text.trim().is_empty()) {
            faults.push(format!("a table without a caption or scopes: {}", table.shown()));
        }
    }
}

fn pictures(page: &Document<'_>, faults: &mut Vec<String>) {
    for image in page.all("img") {
        if image.value("alt").is_none() {
            faults.push(format!("a picture without alt: {}", image.shown()));
        }
    }
    for drawing in page.all("svg") {
        let told = drawing.value("role") == Some("img") && drawing.value("aria-label").is_some_and(|l| !l.is_empty());
        if !told && drawing.value("aria-hidden") != Some("true") {
            faults.push(format!("a drawing that is neither told nor hidden: {:?}", drawing.value("class")));
        }
    }
    for meter in page.elements.iter().filter(|e| matches!(e.name, "meter" | "progress")) {
        if page.known_as(meter).is_empty() {
            faults.push(format!("a meter without a name: {}", meter.shown()));
        }
    }
}

fn nothing_inline(page: &Document<'_>, faults: &mut Vec<String>) {
    for element in &page.elements {
        if element.name == "style"
            || element.name == "script" && (element.value("src").is_none() || !element.text.trim().is_empty())
        {
            faults.push(format!("inline: {}", element.shown()));
        }
        for (name, value) in &element.attributes {
            if *name == "style"
                || name.starts_with("on")
                || name.starts_with("hx-on")
                || value.trim_start().starts_with("javascript:")
            {
                faults.push(format!("inline {name}: {}", element.shown()));
            }
        }
    }
}

#[test]
fn the_reader_sees_what_is_wrong() {
    let good = "<!doctype html><html lang=\"en\"><head><meta name=\"viewport\" content=\"x\"><title>T</title></head><body>\
        <a class=\"skip\" href=\"#main\">Skip</a><nav aria-label=\"Pages\"><h2>Now</h2></nav><header><h1>T</h1></header>\
        <main id=\"main\"><h2>A</h2><h3>B</h3><label for=\"q\">Q</label><input id=\"q\" name=\"q\"/></main></body></html>";
    assert_eq!(faults(&Document::read(good)), Vec::<String>::new());
    let rows = [
        ("<h3>B</h3>", "<h4>B</h4>", "followed by"),
        ("<h1>T</h1>", "", "not one h1"),
        (" for=\"q\"", "", "without a label"),
        ("id=\"q\"", "id=\"main\"", "twice"),
        ("<h2>A</h2>", "<h2>A</h2><button></button>", "without a name"),
        ("<h2>A</h2>", "<h2>A</h2><p style=\"x\">a</p>", "inline style"),
        ("<h2>A</h2>", "<h2>A</h2><script>a</script>", "inline"),
        ("<h2>A</h2>", "<h2>A</h2><svg><path/></svg>", "drawing"),
        ("<h2>A</h2>", "<h2>A</h2><p aria-labelledby=\"zz\">a</p>", "leads nowhere"),
        (" lang=\"en\"", "", "no language"),
        ("class=\"skip\" ", "", "skip link"),
    ];
    for (from, to, wanted) in rows {
        let bad = good.replacen(from, to, 1);
        let found = faults(&Document::read(&bad));
        assert!(found.iter().any(|fault| fault.contains(wanted)), "{wanted}: {found:?}");
    }
}
