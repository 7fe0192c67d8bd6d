//! `timmy serve`: the server, until it is told to stop.

use std::net::{IpAddr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use timmy_core::chance::hex;
use timmy_core::{App, restore};
use timmy_domain::Secret;
use timmy_domain::settings::Value;
use timmy_web::WebParts;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Global, refused};
use crate::config::Config;
use crate::config::desk::Desk;
use crate::home::{Home, LOCK_MS_MAX, Run};
use crate::{handles, log, say, wire};

/// How long everything together may take to end, in seconds; after it the process ends all the same.
const DRAIN_SECONDS_MAX: u64 = 9;

/// What the command takes.
#[derive(clap::Args)]
pub struct Args {
    /// The port to listen on; 0 picks a free one and prints it [default: 8000]
    #[arg(long)]
    port: Option<u16>,
    /// The address to listen on [default: 127.0.0.1]
    #[arg(long)]
    bind: Option<IpAddr>,
    /// Never ask a provider on another machine, whatever the settings say
    #[arg(long)]
    offline: bool,
}

/// Runs the server until SIGTERM or SIGINT.
///
/// # Errors
/// When the home, the configuration, the database or the address cannot be used.
pub async fn run(global: &Global, args: Args) -> Result<ExitCode> {
    // Before anything is printed: whoever reads the address may tell us to stop in the next moment.
    let mut told = Told::listen()?;
    handles::raise();
    let home = &global.home;
    // One that holds it without listening may be a command that is done in a moment; the lock below waits for it.
    if matches!(home.running(), Ok(Some(_))) {
        // What a run that was killed had just started may hold the home for a moment longer than the run itself.
        tokio::time::sleep(Duration::from_millis(LOCK_MS_MAX)).await;
        if matches!(home.running(), Ok(Some(_))) {
            return Err(taken(home));
        }
    }
    // Configuration and address first: when either cannot be used, no half-made home is left behind.
    let config = wire::load_config(home, flags(&args))?;
    let (listener, address) = listen(&config).await?;
    home.create()?;
    let Some(_lock) = home.lock()? else { return Err(taken(home)) };
    // A restore that was cut off may still have to put the settings of the backup in place.
    let config = if restore::finish(&home.path).map_err(refused)?.is_some() {
        wire::load_config(home, flags(&args))?
    } else {
        config
    };
    let log = log::begin(&config.log, &config.error_log, &home.path);
    log.trouble.iter().for_each(|trouble| say::aside(trouble));
    #[cfg(debug_assertions)]
    crate::dying::prepare();
    let token = Secret::new(hex(&wire::chance()?.bytes::<32>()));
    let app = wire::engine(home, &config, token.clone())?;
    // Set once, here; a second engine of this process would have another context.
    let _ = app.ctx.meters.log_lines_dropped.set(Arc::clone(&log.dropped));
    let stop = app.ctx.stop.clone();
    let serving =
        tokio::spawn(timmy_web::serve(listener, web_parts(&app, &config, global, &args, address), stop.clone()));
    // First, for on a full disk it takes the room that the one of the last run gave back.
    leave_run(home, address, &token)?;
    // Told before the address is printed, so that whoever reads it finds the start in the log.
    app.tell_started(wire::VERSION, &address.to_string()).await?;
    greet(global, &app, address);
    let engine = tokio::spawn(app.run());
    let reason = tokio::select! {
        reason = told.stop_signal() => reason.to_owned(),
        () = stop.cancelled() => "the house stops".to_owned(),
    };
    say::aside("stopping");
    stop.cancel();
    let drained = tokio::time::timeout(Duration::from_secs(DRAIN_SECONDS_MAX), async {
        let ended = serving.await;
        // Every part has reported its own failure already.
        let _ = engine.await;
        if let Err(error) = app.tell_stopping(&reason).await {
            tracing::warn!(%error, "the end could not be written to the log");
        }
        app.ctx.store.close().await;
        ended
    })
    .await;
    home.clear_run();
    log.end();
    match drained {
        Ok(Ok(Ok(()))) => Ok(ExitCode::SUCCESS),
        Ok(Ok(Err(error))) => Err(error).context("the server failed"),
        Ok(Err(error)) => Err(error).context("the server failed"),
        Err(_) => {
            say::aside("some work did not end in time; nothing that was stored is lost");
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Why this home cannot be had.
fn taken(home: &Home) -> anyhow::Error {
    match home.running() {
        Ok(Some(run)) => anyhow!("Timmy runs already on this home, at http://{} (process {})", run.address, run.pid),
        _ => anyhow!("another timmy holds this home; stop it first: {}", home.path.display()),
    }
}

fn flags(args: &Args) -> Vec<(&'static str, &'static str, Value)> {
    let mut flags = Vec::new();
    if let Some(port) = args.port {
        flags.push(("server", "port", Value::Int(port.into())));
    }
    if let Some(bind) = args.bind {
        flags.push(("server", "bind", Value::Text(bind.to_string())));
    }
    if args.offline {
        flags.push(("cascade", "offline", Value::Bool(true)));
    }
    flags
}

async fn listen(config: &Config) -> Result<(TcpListener, SocketAddr)> {
    let bind: IpAddr = config.server.bind.parse().with_context(|| {
        format!("[server] bind: {:?} is no address; use 127.0.0.1 for this machine only", config.server.bind)
    })?;
    let port = u16::try_from(config.server.port).context("[server] port: out of range")?;
    let listener = TcpListener::bind((bind, port)).await.with_context(|| {
        format!(
            "cannot listen on {bind}:{port}; is another program there? Choose another with --port, or --port 0 for any"
        )
    })?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

fn web_parts(app: &App, config: &Config, global: &Global, args: &Args, address: SocketAddr) -> WebParts {
    WebParts {
        app: app.clone(),
        server: config.server.clone(),
        feed: config.feed.clone(),
        address,
        version: wire::VERSION.to_owned(),
        home: global.home.path.display().to_string(),
        desk: Some(Arc::new(Desk::new(global.home.clone(), flags(args), config.clone()))),
    }
}

/// The one line for programs, and for people a way in. A code is printed only where a person reads: a file would keep it.
fn greet(global: &Global, app: &App, address: SocketAddr) {
    use std::io::IsTerminal;
    say::line(&format!("listening on http://{address}"));
    if std::io::stdout().is_terminal() && !global.json {
        let code = app.access.mint_code();
        say::line(&format!("log in within 60 seconds: http://{address}/login#code={code}"));
        say::line("later: `timmy login` prints a fresh link");
    } else {
        say::line("log in with the link that `timmy login` prints");
    }
}

/// The signals that end the server.
struct Told {
    terminate: Signal,
    interrupt: Signal,
}

impl Told {
    fn listen() -> Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn stop_signal(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// Says where the server is, for the command line. On a full disk it serves without that.
fn leave_run(home: &Home, address: SocketAddr, token: &Secret) -> Result<()> {
    let (address, token) = (address.to_string(), token.expose().to_owned());
    let left = home.leave_run(&Run { address, token, pid: std::process::id(), version: wire::VERSION.to_owned() });
    let Err(error) = left else { return Ok(()) };
    let full = error.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == std::io::ErrorKind::StorageFull);
    if !full {
        return Err(error);
    }
    say::aside(
        "the disk is full, so the command line will not find this server; make room and start it again for that",
    );
    Ok(())
}
