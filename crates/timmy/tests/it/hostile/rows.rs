//! The rows. `{host}` stands for the address of the server, `{auth}` for the line of a login, which strangers lack.

use super::framing;

/// The connection is closed without an answer.
pub const CLOSED: u16 = 0;
/// Thoughts that one round puts in: the rows that are harmless after all.
pub const THOUGHTS: usize = 4;

/// What is sent.
pub enum Send {
    /// Text with its marks filled in.
    Text(String),
    /// Bytes as they are.
    Bytes(Vec<u8>),
    /// A head, and then this many bytes.
    Flood(String, usize),
}

/// One row.
pub struct Row {
    /// What is tried.
    pub name: String,
    /// What is sent.
    pub send: Send,
    /// Whether nothing more comes after it, so that the server need not wait.
    pub cut: bool,
    /// What a stranger may be answered.
    pub stranger: &'static [u16],
    /// What the owner may be answered.
    pub owner: &'static [u16],
    /// Answers that may come at most. More would mean that something was read as a request that is none.
    pub answers: usize,
}

pub fn row(name: &str, send: Send, stranger: &'static [u16], owner: &'static [u16]) -> Row {
    Row { name: name.to_owned(), send, cut: false, stranger, owner, answers: 1 }
}

/// A request with this first line and these header lines, and no body.
pub fn get(name: &str, line: &str, headers: &str, stranger: &'static [u16], owner: &'static [u16]) -> Row {
    let text = format!("{line} HTTP/1.1\r\nHost: {{host}}\r\n{{auth}}{headers}Connection: close\r\n\r\n");
    row(name, Send::Text(text), stranger, owner)
}

/// A well-formed request with a body of JSON that should not be. Strangers hear that they are strangers.
fn json(name: &str, line: &str, body: &str, owner: &'static [u16]) -> Row {
    typed(name, line, "application/json", body, owner)
}

fn typed(name: &str, line: &str, kind: &str, body: &str, owner: &'static [u16]) -> Row {
    let text = format!(
        "{line} HTTP/1.1\r\nHost: {{host}}\r\n{{auth}}Content-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    row(name, Send::Text(text), &[401], owner)
}

/// Text exactly as it stands, after which nothing comes.
pub fn raw(name: &str, text: &str, stranger: &'static [u16], owner: &'static [u16]) -> Row {
    Row { cut: true, ..row(name, Send::Text(text.to_owned()), stranger, owner) }
}

/// The same, and the server itself ends the connection after its answer.
pub fn whole(name: &str, text: &str, stranger: &'static [u16], owner: &'static [u16]) -> Row {
    Row { cut: false, ..raw(name, text, stranger, owner) }
}

pub fn bytes(name: &str, bytes: &[u8], answer: &'static [u16]) -> Row {
    Row { cut: true, ..row(name, Send::Bytes(bytes.to_vec()), answer, answer) }
}

/// All rows.
pub fn all() -> Vec<Row> {
    [bodies(), fields(), queries(), paths(), heads(), wishes(), framing::all(), cross_site()]
        .into_iter()
        .flatten()
        .collect()
}

const INJECT: &str = "POST /thinking/api/inject";
const CHAT: &str = "POST /api/chat";

/// Bodies that are not what they should be.
fn bodies() -> Vec<Row> {
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let deep_object = format!("{{\"content\":{}1{}}}", "{\"a\":".repeat(50_000), "}".repeat(50_000));
    let long_number = format!("{{\"content\":{}}}", "9".repeat(500_000));
    let many_keys = format!("{{{}\"content\":7}}", (0..50_000).map(|n| format!("\"k{n}\":0,")).collect::<String>());
    let mut rows = vec![
        json("bad JSON", INJECT, "{\"content\":", &[422]),
        json("no body", INJECT, "", &[422]),
        json("an empty object", INJECT, "{}", &[422]),
        json("an array", INJECT, "[]", &[422]),
        json("null", INJECT, "null", &[422]),
        json("a number", INJECT, "7", &[422]),
        json("NaN", INJECT, "{\"content\":NaN}", &[422]),
        json("a comment", INJECT, "{\"content\":\"x\"/**/}", &[422]),
        json("a trailing comma", INJECT, "{\"content\":\"x\",}", &[422]),
        json("two documents", INJECT, "{\"content\":\"x\"}{\"content\":\"y\"}", &[422]),
        json("deep arrays", INJECT, &deep, &[422]),
        json("deep objects", INJECT, &deep_object, &[422]),
        json("half a surrogate", INJECT, "{\"content\":\"\\ud800\"}", &[422]),
        json("a long number", INJECT, &long_number, &[422]),
        json("fifty thousand keys", INJECT, &many_keys, &[422]),
        json("the same key twice", INJECT, "{\"content\":\"x\",\"content\":\"y\"}", &[422]),
        typed("another encoding of text", INJECT, "application/json; charset=utf-16", "{\u{0}}", &[422]),
        typed(
            "XML with an entity",
            INJECT,
            "application/xml",
            "<!DOCTYPE a [<!ENTITY b SYSTEM \"file:///etc/passwd\">]><a>&b;</a>",
            &[422],
        ),
        typed("no kind of body", INJECT, "", "{\"content\":\"x\"}", &[422]),
        typed("a kind of body that is none", INJECT, "/;;;=,,", "{\"content\":\"x\"}", &[422]),
        typed(
            "a form where JSON is wanted",
            "POST /api/chat",
            "application/x-www-form-urlencoded",
            "messages=x",
            &[422],
        ),
        typed("a form of nothing but signs", INJECT, "application/x-www-form-urlencoded", "&&==&%&%zz&content", &[422]),
        typed("multipart", INJECT, "multipart/form-data; boundary=x", "--x\r\n\r\n--x--", &[422]),
    ];
    rows.extend(large());
    rows
}

/// Bodies that are larger than they may be, and one that is no text.
fn large() -> Vec<Row> {
    const HUNDRED: usize = 100 * 1024 * 1024;
    let mut rows = Vec::new();
    // Bytes that are no UTF-8 need a row of bytes, without a login.
    let head = b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 14\r\nConnection: close\r\n\r\n{\"code\":\"\xff\xfe\"}\n";
    rows.push(row("a body that is no UTF-8", Send::Bytes(head.to_vec()), &[422], &[422]));
    let flood = |name: &str, line: &str, headers: &str, bytes, stranger, owner| {
        let head =
            format!("{line} HTTP/1.1\r\nHost: {{host}}\r\n{{auth}}Content-Type: application/json\r\n{headers}\r\n");
        row(name, Send::Flood(head, bytes), stranger, owner)
    };
    rows.push(flood(
        "100 MB that are told",
        CHAT,
        "Content-Length: 104857600\r\nConnection: close\r\n",
        HUNDRED,
        &[413],
        &[413],
    ));
    rows.push(flood(
        "2 MB to the login",
        "POST /login",
        "Content-Length: 2097152\r\nConnection: close\r\n",
        2 * 1024 * 1024,
        &[413],
        &[413],
    ));
    rows.push(flood(
        "20 KB to the login",
        "POST /login",
        "Content-Length: 20480\r\nConnection: close\r\n",
        20_480,
        &[413],
        &[413],
    ));
    rows
}

/// Fields that are not what they should be.
fn fields() -> Vec<Row> {
    let message = |content: &str| format!("{{\"messages\":[{{\"role\":\"user\",\"content\":{content}}}]}}");
    vec![
        json("a number for words", INJECT, "{\"content\":7}", &[422]),
        json("an object for words", INJECT, "{\"content\":{\"$gt\":\"\"}}", &[422]),
        json("only spaces", INJECT, "{\"content\":\" \\n\\t \"}", &[422]),
        json("only invisible characters", INJECT, "{\"content\":\"\\u200b\\u202e\\u0000\"}", &[422]),
        json("too many words", INJECT, &format!("{{\"content\":\"{}\"}}", "x".repeat(900_000)), &[422]),
        json("quotes of SQL in words", INJECT, "{\"content\":\"'; DROP TABLE thoughts; --\"}", &[201]),
        json("a script in words", INJECT, "{\"content\":\"<script>alert(1)</script>\"}", &[201]),
        json("control characters in words", INJECT, "{\"content\":\"a\\u0000b\\u001b[2J\"}", &[201]),
        json(
            "fields nobody asked for",
            INJECT,
            "{\"content\":\"plain\",\"id\":\"1\",\"provider\":\"x\",\"__proto__\":{}}",
            &[201],
        ),
        json("minutes below zero", "POST /thinking/api/pause", "{\"minutes\":-1}", &[422]),
        json("minutes beyond every number", "POST /thinking/api/pause", "{\"minutes\":1e400}", &[422]),
        json("a fraction of minutes", "POST /thinking/api/pause", "{\"minutes\":0.5}", &[422]),
        json("a seed nobody knows", "POST /thinking/api/think", "{\"seed_type\":\"../../etc\"}", &[422]),
        json("no messages", CHAT, "{\"messages\":[]}", &[422]),
        json("messages that are no objects", CHAT, "{\"messages\":[1,null,\"x\"]}", &[422]),
        json(
            "ten thousand messages",
            CHAT,
            &format!("{{\"messages\":[{}]}}", vec!["{\"role\":\"user\",\"content\":\"x\"}"; 10_000].join(",")),
            &[422],
        ),
        json("a role nobody has", CHAT, "{\"messages\":[{\"role\":\"root\",\"content\":\"x\"}]}", &[422]),
        json("no words in a message", CHAT, &message("\"\""), &[422]),
        json(
            "a message about nothing",
            CHAT,
            "{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"about\":\"'\"}",
            &[404],
        ),
        json("a folder with a zero byte", "POST /api/watch", "{\"path\":\"/tmp\\u0000/etc\"}", &[422]),
        json("a folder that is a device", "POST /api/watch", "{\"path\":\"/dev/zero\"}", &[422]),
        json("a folder up the tree", "POST /api/watch", "{\"path\":\"../../../../no/such\"}", &[422]),
        json(
            "a folder with a name of a megabyte",
            "POST /api/watch",
            &format!("{{\"path\":\"/{}\"}}", "a/".repeat(400_000)),
            &[422],
        ),
        json("a scope nobody has", "POST /api/tokens", "{\"name\":\"x\",\"scope\":\"god\"}", &[422]),
        json("a token without a name", "POST /api/tokens", "{\"name\":\"\\u0000\\u001b\"}", &[422]),
        json("a short password", "PUT /api/login/password", "{\"password\":\"short\"}", &[422]),
        json(
            "a password of a megabyte",
            "PUT /api/login/password",
            &format!("{{\"password\":\"{}\"}}", "xyz1".repeat(250_000)),
            &[422],
        ),
        json("a router call without words", "POST /api/v1/router/complete", "{}", &[422]),
    ]
}

/// Queries that are not what they should be.
fn queries() -> Vec<Row> {
    let get = |name: &str, path: &str, owner| get(name, &format!("GET {path}"), "", &[401], owner);
    vec![
        get("a huge limit", "/api/events?limit=99999999999999999999", &[422]),
        get("a limit below zero", "/api/events?limit=-1", &[422]),
        get("a limit of words", "/thinking/api?limit=many", &[422]),
        get("a limit in other digits", "/api/messages?limit=%EF%BC%91", &[422]),
        get("a position beyond every number", "/api/events?after=9223372036854775808", &[422]),
        get("a cursor that is no UTF-8", "/thinking/api?before=%FF%FE", &[422]),
        get("a pattern that is none", "/api/events?type=..", &[422]),
        get("quotes of SQL in a pattern", "/api/events?type=%27%20OR%201%3D1--", &[422]),
        get("quotes of SQL in a text", "/swarm/events?text=%27%3B%20DROP%20TABLE%20event_log%3B--", &[200, 303, 422]),
        get("marks of LIKE in a text", "/swarm/events?text=%25%25%25%5F%5F%5C", &[200, 422]),
        get("the same key a thousand times", &format!("/api/events?{}", "limit=1&".repeat(1_000)), &[200, 422]),
        get("nothing but marks", "/api/events?&&&=&=%", &[200, 422]),
        get("brackets as another language reads them", "/api/events?limit[]=1&after[$gt]=0", &[200, 422]),
        get("a theme nobody has", "/?theme=%3Cscript%3E", &[200]),
    ]
}

/// Addresses that lead nowhere.
fn paths() -> Vec<Row> {
    let lost = |name: &str, path: &str| get(name, &format!("GET {path}"), "", &[401], &[404]);
    let long = "a/".repeat(10_000);
    vec![
        lost("up the tree", "/../../../etc/passwd"),
        lost("up the tree, encoded", "/%2e%2e/%2e%2e/etc/passwd"),
        lost("up the tree, encoded twice", "/%252e%252e/etc/passwd"),
        lost("up the tree with backslashes", "/..%5c..%5cwindows"),
        get("up the tree under the open files", "GET /static/../../etc/passwd", "", &[401, 404], &[404]),
        get(
            "up the tree under the open files, encoded",
            "GET /static/%2e%2e%2f%2e%2e/etc%2fpasswd",
            "",
            &[404],
            &[404],
        ),
        get("a file with a zero byte", "GET /static/0/app.css%00.html", "", &[404], &[404]),
        lost("a name that is no UTF-8", "/thinking/api/%FF%FE"),
        lost("a name with a line break", "/thinking/api/%0d%0aX-Forged:%201"),
        lost("a thought with quotes of SQL", "/thinking/api/%27%20OR%201%3D1"),
        lost("an event beyond every number", "/api/events/99999999999999999999"),
        lost("an event below zero", "/api/events/-1"),
        lost("two slashes before", "//api/status"),
        lost("a file of the home", "/timmy.db"),
        lost("secrets of the home", "/secrets.toml"),
        lost("a folder of git", "/.git/config"),
        get("an address of 20 KB", &format!("GET /{long}"), "", &[401, 414], &[404, 414]),
        get("an address of 100 KB", &format!("GET /{}", long.repeat(5)), "", &[414, 431, CLOSED], &[414, 431, CLOSED]),
        json("a verb the address does not know", "DELETE /api/status", "", &[405]),
        json("a verb nobody knows", "FROBNICATE /api/status", "", &[405]),
        get("a trace", "TRACE /api/status", "", &[401], &[405]),
        get("a tunnel", "CONNECT evil.example:443", "", &[400, 403, 404], &[400, 403, 404]),
        get("the server itself", "OPTIONS *", "", &[400, 401], &[400, 404, 405]),
    ]
}

/// Heads that are not what they should be.
fn heads() -> Vec<Row> {
    let many = "X-Many: y\r\n".repeat(5_000);
    let long = format!("X-Long: {}\r\n", "y".repeat(100_000));
    let cookies = format!("Cookie: {}\r\n", "a=b; ".repeat(5_000));
    let status = "GET /api/status";
    vec![
        get("five thousand headers", status, &many, &[431, 400, CLOSED], &[431, 400, CLOSED]),
        get("seventy headers", status, &"X-Many: y\r\n".repeat(70), &[431, 400], &[431, 400]),
        get("a header of 100 KB", status, &long, &[431, 400, CLOSED], &[431, 400, CLOSED]),
        get("five thousand cookies", status, &cookies, &[401], &[200]),
        get("cookies that are none", status, "Cookie: ;;;===; timmy_session; timmy_session=; =x\r\n", &[401], &[200]),
        get(
            "a session that is too long",
            status,
            &format!("Cookie: timmy_session={}\r\n", "f".repeat(20_000)),
            &[401],
            &[200],
        ),
        get("a cookie with a zero byte", status, "Cookie: a=\0b\r\n", &[400], &[400]),
        get("a header without a name", status, ": x\r\n", &[400], &[400]),
        get("a header with a space in its name", status, "X Y: z\r\n", &[400], &[400]),
        get("a header with a space before its colon", status, "X-Y : z\r\n", &[400], &[400]),
        get("a folded header", status, "X-Y: a\r\n b\r\n", &[400], &[400]),
        get("a range of a page", "GET /healthz", "Range: bytes=0-0,1-1,2-2\r\n", &[200], &[200]),
        get(
            "a condition on what never was",
            "GET /healthz",
            "If-None-Match: *\r\nIf-Modified-Since: never\r\n",
            &[200, 304],
            &[200, 304],
        ),
        get(
            "an encoding nobody knows",
            "GET /healthz",
            "Accept-Encoding: gzip;q=9,br;q=x,\u{7f}\r\n",
            &[200, 400],
            &[200, 400],
        ),
        get(
            "a language of 10 KB",
            "GET /login",
            &format!("Accept-Language: {}\r\n", "en;q=0.1,".repeat(1_000)),
            &[200],
            &[200],
        ),
    ]
}

/// Heads that ask for something else than they seem to.
fn wishes() -> Vec<Row> {
    let status = "GET /api/status";
    vec![
        get(
            "another verb in a header",
            status,
            "X-HTTP-Method-Override: DELETE\r\nX-Method-Override: PUT\r\n",
            &[401],
            &[200],
        ),
        get(
            "an upgrade to HTTP/2",
            "GET /healthz",
            "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n",
            &[200],
            &[200],
        ),
        get("an upgrade to nothing", "GET /swarm/live", "Upgrade: \r\n", &[401], &[303]),
        get(
            "a socket of another age",
            "GET /swarm/live",
            "Upgrade: websocket\r\nSec-WebSocket-Version: 0\r\nSec-WebSocket-Key: x\r\n",
            &[401],
            &[303, 400],
        ),
        get("a form of a page by GET", "GET /thinking/inject?content=x", "", &[401], &[405]),
        whole(
            "a refused body that waits to be asked for",
            "POST /api/chat HTTP/1.1\r\nHost: {host}\r\nExpect: 100-continue\r\nContent-Length: 10485760\r\nConnection: close\r\n{auth}\r\n",
            &[413],
            &[413],
        ),
        get("an expectation nobody knows", status, "Expect: miracles\r\n", &[401, 417], &[200, 417]),
    ]
}

/// What comes from another site.
fn cross_site() -> Vec<Row> {
    let post = |name: &str, headers: &str, kind: &str| {
        let text = format!(
            "POST /thinking/api/inject HTTP/1.1\r\nHost: {{host}}\r\n{{auth}}{headers}Content-Type: {kind}\r\nContent-Length: 15\r\nConnection: close\r\n\r\n{{\"content\":\"x\"}}"
        );
        row(name, Send::Text(text), &[403], &[403])
    };
    vec![
        post("a script of another site", "Origin: https://evil.example\r\n", "application/json"),
        post("a form of another site", "Origin: https://evil.example\r\n", "text/plain"),
        post("a sandboxed frame", "Origin: null\r\n", "application/json"),
        post("another port of this machine", "Origin: http://127.0.0.1:1\r\n", "application/json"),
        post("a name that begins like this one", "Origin: http://{host}.evil.example\r\n", "application/json"),
        post("a name with a user before it", "Origin: http://{host}@evil.example\r\n", "application/json"),
        post("another site by the browser's word", "Sec-Fetch-Site: cross-site\r\n", "application/json"),
        get(
            "a question before a script's call",
            "OPTIONS /api/chat",
            "Origin: https://evil.example\r\nAccess-Control-Request-Method: POST\r\n",
            &[403],
            &[403],
        ),
    ]
}
