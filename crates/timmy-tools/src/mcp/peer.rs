//! One connection to a server of tools. Only this file knows the crate that speaks the protocol.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, ClientCapabilities, ClientConfig, ClientRequest, Implementation,
    PaginatedRequestParams, PingRequest, ProtocolVersion,
};
use rmcp::service::{
    ClientLifecycleMode, NotificationContext, RunningService, ServiceError, serve_client_with_lifecycle,
};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::async_rw::AsyncRwTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::{ClientHandler, RoleClient};
use serde_json::{Map, Value};
use timmy_domain::text;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::describe::{Listed, TOOLS_MAX};
use super::pipe::{Fate, LINE_BYTES_MAX, Watched};
use super::server::{Identity, Server, Way};
use crate::process::live::Live;

/// Pages of a list of tools that are turned.
const PAGES_MAX: usize = 20;
/// Seconds reaching an address may take.
const CONNECT_SECONDS: u64 = 10;
/// Characters of a reason that are kept.
const REASON_CHARS_MAX: usize = 300;

/// What of a server's own accord is listened to: that its tools changed. It cannot ask a model or the owner anything.
#[derive(Clone, Default)]
struct Ear(Arc<Notify>);

impl ClientHandler for Ear {
    fn get_info(&self) -> ClientConfig {
        ClientConfig::new(ClientCapabilities::default(), Implementation::new("timmy", env!("CARGO_PKG_VERSION")))
    }

    async fn on_tool_list_changed(&self, _: NotificationContext<RoleClient>) {
        self.0.notify_one();
    }
}

/// What a call gave.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Answer {
    /// Its parts, as the protocol has them.
    pub(super) content: Value,
    /// The same as one value, where the server gives it so.
    pub(super) structured: Option<Value>,
    /// Whether the tool says that it failed.
    pub(super) failed: bool,
}

/// Why a call gave nothing.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Silence {
    /// The server refused it, with a reason.
    Refused(String),
    /// The connection is gone.
    Gone(String),
    /// What came is no answer to a call.
    Strange,
}

/// A connection. It ends with this value, and the program with it.
pub(super) struct Peer {
    service: RunningService<RoleClient, Ear>,
    ear: Ear,
    pub(super) fate: Fate,
    calls: AtomicUsize,
    listener: Option<JoinHandle<()>>,
    // Ends after the service has said goodbye.
    _program: Option<Live>,
}

impl Drop for Peer {
    fn drop(&mut self) {
        if let Some(listener) = &self.listener {
            listener.abort();
        }
    }
}

/// In one line, without what the server was told in confidence.
fn reason(error: &dyn std::error::Error, fate: &Fate) -> String {
    // The innermost one says what happened.
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    let (outer, inner) = (error.to_string(), inner.to_string());
    let whole = if outer.contains(&inner) { outer } else { format!("{outer}: {inner}") };
    text::cut(&text::one_line(&fate.hide(whole)), REASON_CHARS_MAX)
}

/// The newest protocol first; servers that do not know it are greeted in the old way.
fn lifecycle() -> ClientLifecycleMode {
    ClientLifecycleMode::Auto { preferred_versions: vec![ProtocolVersion::LATEST], legacy_version: None }
}

impl Peer {
    /// Connects to `server`, which is `identity` on this machine. `fate` tells afterwards why it did not.
    pub(super) async fn open(server: &Server, identity: &Identity, fate: Fate) -> Result<Self, String> {
        match &server.way {
            Way::Command { .. } => Self::start(server, identity, fate).await,
            Way::Url { url, key } => {
                let mut config = StreamableHttpClientTransportConfig::with_uri(url.as_str())
                    .max_sse_event_size(LINE_BYTES_MAX)
                    .reinit_on_expired_session(false);
                if !key.is_empty() {
                    config = config.auth_header(key.expose());
                }
                let transport = StreamableHttpClientTransport::with_client(http()?, config);
                let ear = Ear::default();
                let service = serve_client_with_lifecycle(ear.clone(), transport, lifecycle()).await;
                let service = service.map_err(|error| reason(&error, &fate))?;
                Ok(Self { service, ear, fate, calls: AtomicUsize::new(0), listener: None, _program: None })
            }
        }
    }

    async fn start(server: &Server, identity: &Identity, fate: Fate) -> Result<Self, String> {
        if let Some(name) = server.lacks() {
            return Err(format!("its variable {name} is set neither in secrets.toml nor in Timmy's environment"));
        }
        let run = server.run(identity).ok_or("it names no program")?;
        let mut live = run.live().await.map_err(|error| error.to_string())?;
        let (Some(stdin), Some(stdout)) = (live.stdin.take(), live.stdout.take()) else {
            return Err("its pipes are gone".to_owned());
        };
        let listener = live.stderr.take().map(|pipe| tokio::spawn(fate.clone().listen(pipe)));
        let watched = Watched::new(stdout, fate.clone());
        let transport = AsyncRwTransport::new_client(watched, stdin).with_max_line_length(LINE_BYTES_MAX + 1);
        let ear = Ear::default();
        let service = serve_client_with_lifecycle(ear.clone(), transport, lifecycle()).await;
        let service = service.map_err(|error| reason(&error, &fate))?;
        Ok(Self { service, ear, fate, calls: AtomicUsize::new(0), listener, _program: Some(live) })
    }

    /// Its tools: of a list that does not end, the first ones.
    pub(super) async fn list(&self) -> Result<Vec<Listed>, String> {
        let (mut all, mut cursor): (Vec<Listed>, Option<String>) = (Vec::new(), None);
        for _ in 0..PAGES_MAX {
            let params = cursor.map(|cursor| PaginatedRequestParams::default().with_cursor(Some(cursor)));
            let page = self.service.list_tools(params).await.map_err(|error| reason(&error, &self.fate))?;
            all.extend(page.tools.into_iter().map(|tool| Listed {
                name: tool.name.into_owned(),
                about: self.fate.hide(tool.description.map(|about| about.into_owned()).unwrap_or_default()),
                schema: self.fate.hide_in(Value::Object(tool.input_schema.as_ref().clone())),
            }));
            cursor = page.next_cursor;
            if cursor.is_none() || all.len() > TOOLS_MAX {
                break;
            }
        }
        Ok(all)
    }

    /// Calls a tool. Dropping the future tells the server that nobody waits any more.
    pub(super) async fn call(&self, tool: &str, arguments: Map<String, Value>) -> Result<Answer, Silence> {
        let _counted = Counted::new(&self.calls);
        let params = CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments);
        match self.service.peer().call_tool_once(params).await {
            Ok(CallToolResponse::Complete(result)) => Ok(Answer {
                content: self.fate.hide_in(serde_json::to_value(&result.content).unwrap_or_default()),
                structured: result.structured_content.map(|value| self.fate.hide_in(value)),
                failed: result.is_error.unwrap_or(false),
            }),
            Ok(_) | Err(ServiceError::UnexpectedResponse) => Err(Silence::Strange),
            Err(ServiceError::McpError(error)) => {
                Err(Silence::Refused(text::one_line(&self.fate.hide(error.message.into_owned()))))
            }
            Err(error) => Err(Silence::Gone(reason(&error, &self.fate))),
        }
    }

    /// Whether it still answers, in whatever words.
    pub(super) async fn is_there(&self, limit: Duration) -> bool {
        let ping = ClientRequest::PingRequest(PingRequest::default());
        match tokio::time::timeout(limit, self.service.peer().send_request(ping)).await {
            Ok(Ok(_) | Err(ServiceError::McpError(_) | ServiceError::UnexpectedResponse)) => true,
            Ok(Err(_)) | Err(_) => false,
        }
    }

    /// Whether a call is under way: a server may be too busy with it to say anything else.
    pub(super) fn is_busy(&self) -> bool {
        self.calls.load(Ordering::Relaxed) > 0
    }

    /// Whether the connection is over.
    pub(super) fn is_closed(&self) -> bool {
        self.service.is_closed() || self.service.peer().is_transport_closed() || self.fate.ended.is_cancelled()
    }

    /// Waits until the server says that its tools changed.
    pub(super) async fn changed(&self) {
        self.ear.0.notified().await;
    }
}

/// A call that is counted while it lasts.
struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn new(calls: &'a AtomicUsize) -> Self {
        calls.fetch_add(1, Ordering::Relaxed);
        Self(calls)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Asks only the address the owner wrote: no proxy, and no moving on to another one.
fn http() -> Result<reqwest::Client, String> {
    // Already installed is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let made = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(CONNECT_SECONDS))
        .build();
    made.map_err(|error| reason(&error, &Fate::default()))
}
