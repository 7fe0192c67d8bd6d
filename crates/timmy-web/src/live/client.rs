//! One socket of the live feed, from its first frame to its close.

use std::collections::VecDeque;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use timmy_core::trust::access::Principal;
use timmy_domain::Seq;
use timmy_domain::bus::Pattern;
use timmy_domain::tally::Level;
use timmy_store::StoreError;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until, timeout};

use super::CLIENT_FRAME_BYTES_MAX;
use super::pace::{Behind, Rate, Slots};
use super::wire::{self, BATCH_ROWS_MAX};
use crate::web::Web;

/// Past events a socket is told when it does not say where to go on.
const PAST_ROWS: Seq = 20;
/// Seconds between two pings.
const PING_SECONDS: u64 = 20;
/// Seconds without a sign of life after which a socket is closed.
const SILENT_SECONDS_MAX: u64 = 40;
/// Seconds between two looks at whether the key is still good. One that is withdrawn is noticed at once; this finds
/// sessions whose time is over.
const RECHECK_SECONDS: u64 = 60;
/// How long a client may take to hear that it is closed, in seconds.
const CLOSE_SECONDS: u64 = 2;
/// The same for one that does not read, so that it learns why when it reads again.
const CLOSE_STALLED_SECONDS: u64 = 30;
/// Refusals that wait to be told; more are left out.
const REFUSALS_MAX: usize = 32;
/// How long to wait after the log could not be read, in milliseconds.
const RETRY_MS: u64 = 500;

/// Why a socket ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The client has gone, or cannot be reached.
    Gone,
    /// Closed with this code and reason.
    Close(u16, &'static str),
}

const STOPPING: End = End::Close(close_code::AWAY, "Timmy stops");
const NO_LONGER_ALLOWED: End = End::Close(close_code::POLICY, "the key is no longer good");
const TOO_SLOW: End = End::Close(close_code::AGAIN, "too far behind; go on with ?after=SEQ");
const TOO_LARGE: End = End::Close(close_code::SIZE, "the frame is over 16 KiB");
const TOO_OFTEN: End = End::Close(close_code::POLICY, "more than 20 frames a second");
const NOT_TEXT: End = End::Close(close_code::UNSUPPORTED, "frames are text");
const BROKEN: End = End::Close(close_code::PROTOCOL, "the frame cannot be read");
const SILENT: End = End::Close(close_code::POLICY, "no sign of life");

struct Client<'w> {
    web: &'w Web,
    out: SplitSink<WebSocket, Message>,
    patterns: Option<Vec<Pattern>>,
    /// Everything up to here was told, or is not wanted.
    at: Seq,
    slots: Slots,
    /// What is told before further events: refusals and gaps.
    first: VecDeque<String>,
}

/// Attends a socket until it ends. `after` is where it wants to go on.
pub async fn attend(web: &Web, who: &Principal, after: Option<Seq>, socket: WebSocket) {
    web.ring.begin();
    let _socket = Level::hold(&*web.surface.sockets);
    if after.is_some() {
        web.surface.resumes.one();
    }
    let (out, input) = socket.split();
    let slots = Slots::new(web.feed.websocket_event_throttle);
    let mut client = Client { web, out, patterns: None, at: 0, slots, first: VecDeque::new() };
    let end = match client.begin(after).await {
        Ok(()) => client.run(who, input).await,
        Err(_) => End::Close(close_code::ERROR, "the log cannot be read"),
    };
    web.surface.closed(match end {
        End::Close(code, _) => code,
        End::Gone => 0,
    });
    if let End::Close(code, reason) = end {
        let seconds = if end == TOO_SLOW { CLOSE_STALLED_SECONDS } else { CLOSE_SECONDS };
        let last = Message::Close(Some(CloseFrame { code, reason: reason.into() }));
        // Whether it arrives is up to the client.
        let _ = timeout(Duration::from_secs(seconds), client.out.send(last)).await;
    }
}

impl Client<'_> {
    /// Finds the place to begin, and tells a gap when what was asked for is gone.
    async fn begin(&mut self, after: Option<Seq>) -> Result<(), StoreError> {
        let head = self.web.app.ctx.store.last_seq();
        let Some(after) = after else {
            self.at = (head - PAST_ROWS).max(0);
            return Ok(());
        };
        self.at = after.min(head);
        if after > head {
            // A position of another log, such as before a restore.
            self.web.surface.gaps.one();
            self.first.push_back(wire::gap(head));
        } else if let Some(next) = self.web.ring.after(after, 1).await?.first() {
            // What is still kept comes all the same; the frame is told only when something is missing in it.
            let removed = self.web.app.ctx.store.read(|r| r.last_removed()).await?;
            if next.seq > after + 1 || after < removed {
                self.web.surface.gaps.one();
                self.first.push_back(wire::gap(next.seq));
            }
        }
        Ok(())
    }

    async fn run(&mut self, who: &Principal, mut input: SplitStream<WebSocket>) -> End {
        let mut head = self.web.ring.head();
        let mut ping = ticks(PING_SECONDS);
        let mut recheck = ticks(RECHECK_SECONDS);
        let mut withdrawals = self.web.app.access.withdrawals();
        // A key that was withdrawn between the door and here is found by the first look.
        withdrawals.mark_changed();
        let mut heard_at = Instant::now();
        let mut rate = Rate::new(heard_at);
        loop {
            let waiting = *head.borrow_and_update() > self.at || !self.first.is_empty();
            let due = self.slots.due(Instant::now());
            let end = tokio::select! {
                biased;
                () = self.web.stop.cancelled() => Some(STOPPING),
                said = input.next() => {
                    heard_at = Instant::now();
                    self.heard(said, &mut rate)
                }
                // Whether this key was meant is looked up; there are few, and each is known at once.
                _ = withdrawals.changed() => self.recheck(who).await,
                _ = recheck.tick() => self.recheck(who).await,
                _ = ping.tick() => {
                    let silent = heard_at.elapsed() > Duration::from_secs(SILENT_SECONDS_MAX);
                    if silent { Some(SILENT) } else { self.send(Message::Ping(axum::body::Bytes::new())).await }
                }
                () = sleep_until(due), if waiting => self.tell().await,
                changed = head.changed(), if !waiting => changed.is_err().then_some(STOPPING),
            };
            if let Some(end) = end {
                return end;
            }
        }
    }

    /// Tells the next frame of what waits.
    async fn tell(&mut self) -> Option<End> {
        if let Some(text) = self.first.pop_front() {
            self.slots.sent(Instant::now());
            return self.send(Message::Text(text.into())).await;
        }
        let Ok(lines) = self.web.ring.after(self.at, BATCH_ROWS_MAX).await else {
            sleep(Duration::from_millis(RETRY_MS)).await;
            return None;
        };
        let Some(last) = lines.last().map(|line| line.seq) else {
            // Everything up to the head is gone.
            self.at = self.web.ring.last();
            return None;
        };
        let wanted = match &self.patterns {
            None => lines,
            Some(patterns) => lines.into_iter().filter(|l| patterns.iter().any(|p| p.matches(&l.name))).collect(),
        };
        self.at = last;
        let text = wire::frame(&wanted)?;
        self.web.surface.frames.one();
        self.slots.sent(Instant::now());
        self.send(Message::Text(text.into())).await
    }

    /// Sends, and counts the frames that pile up while the client does not read.
    async fn send(&mut self, message: Message) -> Option<End> {
        let Self { web, out, slots, .. } = self;
        let mut behind = Behind::new(web.feed.activity_feed_buffer, web.ring.last());
        let give_up = Instant::now() + Duration::from_secs(SILENT_SECONDS_MAX);
        let sending = out.send(message);
        tokio::pin!(sending);
        let mut late = None;
        loop {
            tokio::select! {
                biased;
                sent = sending.as_mut() => return sent.is_err().then_some(End::Gone),
                () = web.stop.cancelled() => return Some(STOPPING),
                () = sleep_until(give_up) => return Some(SILENT),
                () = sleep(slots.length()) => {
                    late.get_or_insert_with(|| Level::hold(&*web.surface.behind));
                    if behind.slot(web.ring.last()) {
                        return Some(TOO_SLOW);
                    }
                }
            }
        }
    }

    /// What the client said: a subscription, a sign of life, or its end.
    fn heard(&mut self, said: Option<Result<Message, axum::Error>>, rate: &mut Rate) -> Option<End> {
        let said = match said {
            None | Some(Ok(Message::Close(_))) => return Some(End::Gone),
            Some(Ok(said)) => said,
            // The library's words are the only sign of which bound it was.
            Some(Err(error)) if error.to_string().contains("too long") => return Some(TOO_LARGE),
            Some(Err(_)) => return Some(BROKEN),
        };
        if !rate.spoke(Instant::now()) {
            return Some(TOO_OFTEN);
        }
        match said {
            Message::Text(text) if text.len() > CLIENT_FRAME_BYTES_MAX => return Some(TOO_LARGE),
            Message::Text(text) => match wire::subscription(&text) {
                Ok(patterns) => self.patterns = Some(patterns),
                Err(problem) if self.first.len() < REFUSALS_MAX => self.first.push_back(wire::refusal(&problem)),
                Err(_) => {}
            },
            Message::Binary(_) => return Some(NOT_TEXT),
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) => {}
        }
        None
    }

    /// Whether the key is still good. A store that cannot be read at the moment shuts nobody out.
    async fn recheck(&self, who: &Principal) -> Option<End> {
        match self.web.app.access.still_good(who).await {
            Ok(false) => Some(NO_LONGER_ALLOWED),
            Ok(true) | Err(_) => None,
        }
    }
}

/// Ticks that begin one period from now.
fn ticks(seconds: u64) -> tokio::time::Interval {
    let mut ticks = interval(Duration::from_secs(seconds));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.reset();
    ticks
}
