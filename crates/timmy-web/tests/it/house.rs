//! A served house: engine, server on a free port, and ways to knock.

use std::sync::Arc;

use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;
use timmy_core::settings::Settings;
use timmy_domain::Secret;
use timmy_llm::{Provider, Reflex, Scripted, Step};
use timmy_testkit::engine::RUN_TOKEN;
use timmy_testkit::{Engine, engine};
use timmy_web::WebParts;
use timmy_web::client::Client;
use timmy_web::desk::Desk;
use timmy_web::settings::{FeedSettings, ServerSettings};
use tokio_util::sync::CancellationToken;

pub struct House {
    pub engine: Engine,
    pub base: String,
    pub host: String,
    http: reqwest::Client,
    stop: CancellationToken,
    served: tokio::task::JoinHandle<std::io::Result<()>>,
}

/// A browser that logged in.
pub struct Browser {
    pub cookie: String,
    pub csrf: String,
}

pub fn scripted(steps: Vec<Step>) -> Vec<Arc<dyn Provider>> {
    vec![Arc::new(Scripted::script(steps))]
}

pub fn replies(count: usize) -> Vec<Arc<dyn Provider>> {
    scripted((1..=count).map(|n| Step::Reply(format!("Reply {n}."))).collect())
}

impl House {
    /// A house whose models follow `providers`, with these parts running.
    pub async fn serve(providers: Vec<Arc<dyn Provider>>, parts: &[&str]) -> Self {
        Self::with(providers, parts, FeedSettings::default()).await
    }

    /// A quiet house without models.
    pub async fn quiet() -> Self {
        Self::serve(vec![Arc::new(Reflex::new("a-model"))], &[]).await
    }

    pub async fn with(providers: Vec<Arc<dyn Provider>>, parts: &[&str], feed: FeedSettings) -> Self {
        Self::over(engine(providers, Self::settings()), parts, feed, None).await
    }

    /// A quiet house with this desk for its settings.
    pub async fn at_desk(desk: Arc<dyn Desk>) -> Self {
        let providers: Vec<Arc<dyn Provider>> = vec![Arc::new(Reflex::new("a-model"))];
        Self::over(engine(providers, Self::settings()), &[], FeedSettings::default(), Some(desk)).await
    }

    /// A house whose statements are noted.
    pub async fn watched(providers: Vec<Arc<dyn Provider>>, parts: &[&str]) -> Self {
        let engine = timmy_testkit::engine::watched(providers, Self::settings());
        Self::over(engine, parts, FeedSettings::default(), None).await
    }

    fn settings() -> Settings {
        let mut settings = Settings::default();
        settings.thinking.adaptive_rest = false;
        settings
    }

    async fn over(mut engine: Engine, parts: &[&str], feed: FeedSettings, desk: Option<Arc<dyn Desk>>) -> Self {
        engine.run_only(parts);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let stop = CancellationToken::new();
        let web = WebParts {
            app: engine.app.clone(),
            server: ServerSettings::default(),
            feed,
            address,
            version: "1.2.3".to_owned(),
            home: "/home/timmy".to_owned(),
            desk,
        };
        let served = tokio::spawn(timmy_web::serve(listener, web, stop.clone()));
        // Makes the cryptography of the HTTP client known, as the command line does.
        Client::to_server("http://127.0.0.1", Secret::default()).expect("a client");
        let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build();
        let http = http.expect("an HTTP client");
        Self { engine, base: format!("http://{address}"), host: address.to_string(), http, stop, served }
    }

    /// A request without any key.
    pub fn bare(&self, method: &str, path: &str) -> RequestBuilder {
        self.http.request(method.parse::<Method>().expect("a verb"), format!("{}{path}", self.base))
    }

    /// A request with the admin token.
    pub fn ask(&self, method: &str, path: &str) -> RequestBuilder {
        self.bare(method, path).bearer_auth(RUN_TOKEN)
    }

    /// A request of a browser: its cookie, and what browsers say about themselves.
    pub fn browse(&self, browser: &Browser, method: &str, path: &str) -> RequestBuilder {
        let mut headers = HeaderMap::new();
        headers.insert("cookie", HeaderValue::from_str(&browser.cookie).expect("a header"));
        headers.insert("accept", HeaderValue::from_static("text/html,application/xhtml+xml"));
        if method != "GET" {
            headers.insert("origin", HeaderValue::from_str(&self.base).expect("a header"));
            headers.insert("sec-fetch-site", HeaderValue::from_static("same-origin"));
        }
        self.bare(method, path).headers(headers)
    }

    pub async fn get(&self, path: &str) -> Value {
        read(self.ask("GET", path).send().await.expect("an answer")).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Value {
        read(self.ask("POST", path).json(&body).send().await.expect("an answer")).await
    }

    /// Logs a browser in and finds the word of its forms.
    pub async fn browser(&self) -> Browser {
        let code = self.post("/api/login/code", serde_json::json!({})).await;
        let code = code["code"].as_str().expect("a code").to_owned();
        let entered = self.bare("POST", "/login").form(&[("code", code.as_str())]).send().await.expect("an answer");
        assert_eq!(entered.status(), 303);
        let cookie =
            entered.headers()["set-cookie"].to_str().expect("text").split(';').next().expect("a pair").to_owned();
        let mut browser = Browser { cookie, csrf: String::new() };
        let page = self.browse(&browser, "GET", "/").send().await.expect("an answer").text().await.expect("text");
        let csrf = page.split("name=\"csrf\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
        csrf.expect("a form").clone_into(&mut browser.csrf);
        browser
    }

    /// Writes `count` events.
    pub async fn write(&self, count: usize) {
        use timmy_domain::NewEvent;
        use timmy_domain::event::ThinkingResumed;
        let events = (0..count).map(|_| NewEvent::new("test", ThinkingResumed {})).collect();
        self.engine.app.ctx.store.append(events).await.expect("written");
    }

    pub fn begin_to_stop(&self) {
        self.stop.cancel();
    }

    pub async fn end(mut self) {
        self.stop.cancel();
        self.served.await.expect("the server ends").expect("well");
        self.engine.stop().await;
    }
}

/// Sends fields as a form does.
pub trait Form {
    fn form(self, fields: &[(&str, &str)]) -> Self;
}

impl Form for RequestBuilder {
    fn form(self, fields: &[(&str, &str)]) -> Self {
        let encoded = |text: &str| text.bytes().map(|b| format!("%{b:02X}")).collect::<String>();
        let pair = |(name, value): &(&str, &str)| match *name {
            // As browsers write it: what needs no encoding has none.
            "csrf" => format!("csrf={value}"),
            _ => format!("{name}={}", encoded(value)),
        };
        let body = fields.iter().map(pair).collect::<Vec<_>>().join("&");
        self.header("content-type", "application/x-www-form-urlencoded").body(body)
    }
}

pub async fn read(answer: Response) -> Value {
    let status = answer.status();
    let text = answer.text().await.expect("a body");
    assert!(status.is_success(), "{status}: {text}");
    serde_json::from_str(&text).expect("JSON")
}

/// The status and the code of a refusal, which always has words.
pub async fn refusal(request: RequestBuilder) -> (u16, String) {
    let answer = request.send().await.expect("an answer");
    let status = answer.status().as_u16();
    let text = answer.text().await.expect("a body");
    let body: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{status} without JSON: {text}"));
    let error = &body["error"];
    assert!(error["message"].as_str().is_some_and(|m| !m.is_empty()), "{text}");
    assert!(error["hint"].as_str().is_some_and(|h| !h.is_empty()), "{text}");
    (status, error["code"].as_str().expect("a code").to_owned())
}
