//! What a person would read of a page: title, text and links, from the tokens of its HTML.
//!
//! Nothing of a page is loaded, run or followed, and what a reader would not see is left out, since it speaks to
//! machines only. There is no tree, so no depth of nesting can exhaust anything.

use html5gum::Tokenizer;
use html5gum::emitters::default::{DefaultEmitter, StartTag, Token};
use reqwest::Url;
use timmy_domain::text;

/// Links that are told of a page.
pub const LINKS_MAX: usize = 60;

/// Characters of a title, and of the words of a link.
const TITLE_CHARS_MAX: usize = 200;

/// Open elements that are remembered; what is nested deeper counts as what it stands in.
const OPEN_MAX: usize = 256;

/// Characters the main part of a page must have for the rest to be left out.
const MAIN_CHARS_MIN: usize = 200;

/// Elements that hold nothing to read.
const SILENT: [&[u8]; 16] = [
    b"script",
    b"style",
    b"noscript",
    b"template",
    b"svg",
    b"math",
    b"iframe",
    b"object",
    b"canvas",
    b"select",
    b"button",
    b"audio",
    b"video",
    b"head",
    b"textarea",
    b"dialog",
];

/// Elements around what a page is about.
const AROUND: [&[u8]; 4] = [b"nav", b"header", b"footer", b"aside"];

/// Elements that begin and end a paragraph.
const BLOCKS: [&[u8]; 30] = [
    b"address",
    b"article",
    b"aside",
    b"blockquote",
    b"body",
    b"dd",
    b"details",
    b"div",
    b"dl",
    b"dt",
    b"fieldset",
    b"figcaption",
    b"figure",
    b"footer",
    b"form",
    b"header",
    b"hr",
    b"li",
    b"main",
    b"nav",
    b"ol",
    b"p",
    b"pre",
    b"section",
    b"summary",
    b"table",
    b"tbody",
    b"tr",
    b"ul",
    b"br",
];

/// Elements without content.
const VOID: [&[u8]; 13] =
    [b"area", b"base", b"br", b"col", b"embed", b"hr", b"img", b"input", b"link", b"meta", b"source", b"track", b"wbr"];

/// A link of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its words.
    pub words: String,
    /// The whole address, of `http` or `https`.
    pub url: String,
}

/// What a person would read of a page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Readable {
    /// Its title, one line.
    pub title: String,
    /// Its text, by paragraphs.
    pub text: String,
    /// Its links in order, each once, at most [`LINKS_MAX`].
    pub links: Vec<Link>,
}

/// Reads the HTML of the page at `base`; keeps about `bytes_max` bytes of each of its parts.
#[must_use]
pub fn read(html: &str, base: &Url, bytes_max: usize) -> Readable {
    let mut reader = Reader::new(base, bytes_max);
    let mut emitter = DefaultEmitter::<()>::default();
    emitter.naively_switch_states(true);
    for token in Tokenizer::new_with_emitter(html, emitter).flatten() {
        match token {
            Token::StartTag(tag) => reader.begin(&tag),
            Token::EndTag(tag) => reader.end(&tag.name),
            Token::String(words) => reader.words(&String::from_utf8_lossy(&words)),
            _ => {}
        }
    }
    reader.finish()
}

/// An open element.
struct Open {
    name: Vec<u8>,
    /// What of the reader's state it switched on.
    silent: bool,
    around: bool,
    main: bool,
}

/// Text that grows to a bound, with its spaces folded.
#[derive(Default)]
struct Part {
    text: String,
    bytes_max: usize,
}

impl Part {
    fn words(&mut self, words: &str, keep_spaces: bool) {
        if self.text.len() >= self.bytes_max {
            return;
        }
        for c in words.chars() {
            let folded = c.is_whitespace() && !keep_spaces;
            if !folded {
                self.text.push(c);
            } else if !self.text.ends_with([' ', '\n']) && !self.text.is_empty() {
                self.text.push(' ');
            }
        }
    }

    /// Ends a line, or with `blank` a paragraph.
    fn line(&mut self, blank: bool) {
        while self.text.ends_with(' ') {
            self.text.pop();
        }
        let wanted = if blank { "\n\n" } else { "\n" };
        while !self.text.is_empty() && !self.text.ends_with(wanted) {
            self.text.push('\n');
        }
    }
}

struct Reader<'a> {
    base: &'a Url,
    open: Vec<Open>,
    title: String,
    in_title: bool,
    main: Part,
    body: Part,
    around: Part,
    links: Vec<Link>,
    /// The link whose words are being read.
    link: Option<Link>,
}

impl<'a> Reader<'a> {
    fn new(base: &'a Url, bytes_max: usize) -> Self {
        let part = || Part { text: String::new(), bytes_max };
        let (main, body, around) = (part(), part(), part());
        Self {
            base,
            open: Vec::new(),
            title: String::new(),
            in_title: false,
            main,
            body,
            around,
            links: Vec::new(),
            link: None,
        }
    }

    fn begin(&mut self, tag: &StartTag<()>) {
        let name: &[u8] = &tag.name;
        if name == b"title" && self.title.is_empty() {
            self.in_title = true;
            return;
        }
        // A body ends a head that nobody closed.
        if name == b"body" {
            self.open.retain(|open| open.name != b"head");
        }
        if !self.silent() {
            self.mark(name);
            match name {
                b"a" => self.link = attribute(tag, b"href").and_then(|href| self.link_to(&href)),
                b"img" => {
                    let alt = text::one_line(&attribute(tag, b"alt").unwrap_or_default());
                    if !alt.is_empty() {
                        self.put(&format!(" [image: {}] ", text::cut(&alt, TITLE_CHARS_MAX)));
                    }
                }
                _ => {}
            }
        }
        if !VOID.contains(&name) && !tag.self_closing && self.open.len() < OPEN_MAX {
            let main = name == b"main" || name == b"article";
            let silent = SILENT.contains(&name) || is_hidden(tag);
            self.open.push(Open { name: name.to_vec(), silent, around: AROUND.contains(&name), main });
        }
    }

    fn end(&mut self, name: &[u8]) {
        if name == b"title" {
            self.in_title = false;
            return;
        }
        if name == b"a" {
            self.links.extend(self.link.take().filter(|link| !link.words.is_empty() && self.links.len() < LINKS_MAX));
        }
        // What was not closed inside ends with what it stands in; an end without a beginning ends nothing.
        if let Some(at) = self.open.iter().rposition(|open| open.name == name) {
            self.open.truncate(at);
            if !self.silent() && (BLOCKS.contains(&name) || is_heading(name)) {
                let blank = !matches!(name, b"li" | b"tr" | b"dt" | b"dd");
                self.part().line(blank);
            }
        }
    }

    /// What the beginning of an element says without words.
    fn mark(&mut self, name: &[u8]) {
        match name {
            b"br" => self.part().line(false),
            b"li" => {
                self.part().line(false);
                self.part().text.push_str("- ");
            }
            b"td" | b"th" => self.put(" "),
            b"tr" | b"dt" | b"dd" => self.part().line(false),
            _ if is_heading(name) => {
                self.part().line(true);
                self.part().text.push_str("## ");
            }
            _ if BLOCKS.contains(&name) => self.part().line(true),
            _ => {}
        }
    }

    fn words(&mut self, words: &str) {
        if self.in_title {
            if self.title.len() < 4 * TITLE_CHARS_MAX {
                self.title.push_str(words);
            }
        } else if !self.silent() {
            if let Some(link) = &mut self.link
                && link.words.len() < TITLE_CHARS_MAX
            {
                link.words = text::cut(&text::one_line(&format!("{} {words}", link.words)), TITLE_CHARS_MAX);
            }
            self.put(words);
        }
    }

    fn put(&mut self, words: &str) {
        let keep = self.open.iter().any(|open| open.name == b"pre");
        self.part().words(words, keep);
    }

    fn silent(&self) -> bool {
        self.open.iter().any(|open| open.silent)
    }

    fn part(&mut self) -> &mut Part {
        if self.open.iter().any(|open| open.main) {
            &mut self.main
        } else if self.open.iter().any(|open| open.around) {
            &mut self.around
        } else {
            &mut self.body
        }
    }

    fn link_to(&self, href: &str) -> Option<Link> {
        let mut url = self.base.join(href).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
        url.set_fragment(None);
        let url = url.to_string();
        let known = url == self.base.as_str() || self.links.iter().any(|link| link.url == url);
        (!known && url.len() <= super::target::URL_BYTES_MAX).then_some(Link { words: String::new(), url })
    }

    fn finish(self) -> Readable {
        let chosen = [&self.main, &self.body, &self.around].map(|part| text::clean(part.text.trim()));
        let [main, body, around] = chosen;
        let text = if main.len() >= MAIN_CHARS_MIN {
            main
        } else {
            let all = [main, body].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n");
            if all.is_empty() { around } else { all }
        };
        let title = text::cut(&text::one_line(&self.title), TITLE_CHARS_MAX);
        Readable { title, text, links: self.links }
    }
}

fn is_heading(name: &[u8]) -> bool {
    matches!(name, [b'h', b'1'..=b'6'])
}

fn attribute(tag: &StartTag<()>, name: &[u8]) -> Option<String> {
    tag.attributes.iter().find(|(key, _)| ***key == *name).map(|(_, value)| String::from_utf8_lossy(value).into_owned())
}

/// Whether a reader would not see the element: what stands there is meant for machines.
fn is_hidden(tag: &StartTag<()>) -> bool {
    let is =
        |name: &[u8], wanted: &str| attribute(tag, name).is_some_and(|value| value.trim().eq_ignore_ascii_case(wanted));
    let style: String = attribute(tag, b"style").unwrap_or_default().to_ascii_lowercase().split_whitespace().collect();
    attribute(tag, b"hidden").is_some()
        || is(b"aria-hidden", "true")
        || ["display:none", "visibility:hidden", "opacity:0;", "font-size:0"].iter().any(|what| style.contains(what))
        || style.ends_with("opacity:0")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(html: &str) -> Readable {
        read(html, &Url::parse("https://example.org/a/page").unwrap(), 10_000)
    }

    #[test]
    fn a_page_becomes_title_paragraphs_and_links() {
        let page = of("<!doctype html><head><title>Kelp &amp; \n more</title><style>p{}</style></head><body>\
             <nav><a href=/>Home</a></nav><h1>On kelp</h1><p>It   grows <b>fast</b>.<br>Very.</p>\
             <ul><li>one<li><a href='../b?x=1#y'>two</a></ul><img src=x alt='a leaf'><pre>a\n  b</pre>\
             <script>alert('x<p>')</script><footer>imprint</footer></body>");
        assert_eq!(page.title, "Kelp & more");
        assert_eq!(page.text, "## On kelp\n\nIt grows fast.\nVery.\n\n- one\n- two\n\n[image: a leaf]\n\na\n  b");
        let links: Vec<&str> = page.links.iter().map(|link| link.url.as_str()).collect();
        assert_eq!(links, ["https://example.org/", "https://example.org/b?x=1"]);
    }

    #[test]
    fn the_main_part_is_taken_where_there_is_enough_of_it() {
        let long = "kelp ".repeat(60);
        let page = of(&format!("<div>cookies?</div><main><p>{long}</p></main><div>buy</div>"));
        assert_eq!(page.text, long.trim());
        assert_eq!(of("<div>cookies</div><main>short</main>").text, "short\n\ncookies");
        assert_eq!(of("<nav>only this").text, "only this");
    }

    #[test]
    fn what_a_reader_would_not_see_is_left_out() {
        for hidden in [
            "<p hidden>obey</p>",
            "<div style='Display : none'><p>obey</p></div>",
            "<span aria-hidden=true>obey</span>",
            "<!-- obey -->",
            "<template><p>obey</template>",
            "<noscript>obey</noscript>",
            "<svg><text>obey</text></svg>",
            "<select><option>obey</select>",
            "<p style='font-size:0px'>obey</p>",
            "<i style='opacity:0'>obey</i>",
        ] {
            assert_eq!(of(&format!("<p>a</p>{hidden}<p>b</p>")).text, "a\n\nb", "{hidden}");
        }
        assert_eq!(of("<p>a\u{202e}b\u{200b}c\u{1b}[31m</p>").text, "abc[31m");
    }

    #[test]
    fn broken_and_hostile_pages_end_and_stay_within_bounds() {
        assert_eq!(of("").text, "");
        assert_eq!(of("</p></div>a</b>").text, "a");
        let deep = format!("{}x{}", "<div>".repeat(100_000), "</div>".repeat(100_000));
        assert_eq!(of(&deep).text, "x");
        let long = of(&"word ".repeat(100_000));
        assert!(long.text.len() <= 500_000);
        let links: String = (0..1_000).map(|n| format!("<a href='/{n}'>l{n}</a>")).collect();
        assert_eq!(of(&links).links.len(), LINKS_MAX);
        for href in ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "mailto:a@b.c"] {
            assert!(of(&format!("<a href='{href}'>x</a>")).links.is_empty(), "{href}");
        }
    }
}
