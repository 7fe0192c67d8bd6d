//! The live feed over real sockets.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use timmy_llm::Reflex;
use timmy_testkit::engine::{PATIENCE_SECONDS, RUN_TOKEN};
use timmy_web::settings::FeedSettings;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::house::House;
use crate::kept;

struct Socket(WebSocketStream<TcpStream>);

async fn knock(house: &House, query: &str, headers: &[(&'static str, &str)]) -> Result<Socket, Error> {
    let mut request = format!("ws://{}/swarm/live{query}", house.host).into_client_request()?;
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().expect("a header"));
    }
    let stream = TcpStream::connect(&house.host).await.expect("connected");
    client_async(request, stream).await.map(|(socket, _)| Socket(socket))
}

async fn listen(house: &House, query: &str) -> Socket {
    knock(house, query, &[("authorization", &format!("Bearer {RUN_TOKEN}"))]).await.expect("a socket")
}

impl Socket {
    async fn next(&mut self) -> Message {
        loop {
            let message = tokio::time::timeout(Duration::from_secs(PATIENCE_SECONDS), self.0.next()).await;
            match message.expect("a frame in time").expect("a frame").expect("a good one") {
                Message::Ping(_) | Message::Pong(_) => {}
                message => return message,
            }
        }
    }

    async fn frame(&mut self) -> Value {
        let message = self.next().await;
        serde_json::from_str(message.to_text().expect("text")).unwrap_or_else(|_| panic!("no frame: {message:?}"))
    }

    /// The events of the next frame.
    async fn events(&mut self) -> Vec<Value> {
        let frame = self.frame().await;
        assert_eq!(frame["v"], 1, "{frame}");
        match frame["batch"].as_array() {
            Some(batch) => {
                assert!(batch.len() <= 500);
                batch.clone()
            }
            None => vec![frame],
        }
    }

    /// Positions until `last` has come.
    async fn seqs_until(&mut self, last: i64) -> Vec<i64> {
        let mut seqs: Vec<i64> = Vec::new();
        while seqs.last().is_none_or(|seq| *seq < last) {
            seqs.extend(self.events().await.iter().filter_map(|e| e["seq"].as_i64()));
        }
        seqs
    }

    async fn say(&mut self, text: impl Into<String>) {
        self.0.send(Message::Text(text.into().into())).await.expect("sent");
    }

    async fn close_code(&mut self) -> CloseCode {
        loop {
            if let Message::Close(frame) = self.next().await {
                return frame.expect("a reason").code;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_hears_the_last_twenty_and_then_everything_once() {
    let house = House::quiet().await;
    house.write(30).await;
    let head = house.engine.app.ctx.store.last_seq();
    let mut socket = listen(&house, "").await;
    assert_eq!(socket.seqs_until(head).await, (head - 19..=head).collect::<Vec<_>>());
    house.write(1).await;
    let one = socket.events().await;
    assert_eq!((one.len(), one[0]["event"].as_str()), (1, Some("thinking.resumed")));
    for field in ["v", "seq", "event", "data", "timestamp"] {
        assert!(one[0].get(field).is_some(), "{field}");
    }
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn resuming_leaves_no_gap_and_tells_nothing_twice_while_events_rain() {
    let house = House::with(
        vec![std::sync::Arc::new(Reflex::new("m"))],
        &[],
        FeedSettings { websocket_event_throttle: 200, ..FeedSettings::default() },
    )
    .await;
    house.write(3_000).await;
    let mut first = listen(&house, "?after=0").await;
    let store = house.engine.app.ctx.store.clone();
    let raining = tokio::spawn(async move {
        for _ in 0..200 {
            use timmy_domain::{NewEvent, event::ThinkingResumed};
            store.append((0..20).map(|_| NewEvent::new("test", ThinkingResumed {})).collect()).await.expect("written");
            tokio::task::yield_now().await;
        }
    });
    let middle = first.seqs_until(3_500).await;
    let last = *middle.last().expect("some");
    assert_eq!(middle, (1..=last).collect::<Vec<_>>());
    drop(first);
    let mut second = listen(&house, &format!("?after={last}")).await;
    raining.await.expect("it rained");
    let head = house.engine.app.ctx.store.last_seq();
    assert_eq!(second.seqs_until(head).await, (last + 1..=head).collect::<Vec<_>>());
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_falls_into_one_slot_travels_together() {
    let slow = FeedSettings { websocket_event_throttle: 2, ..FeedSettings::default() };
    let house = House::with(vec![std::sync::Arc::new(Reflex::new("m"))], &[], slow).await;
    let head = house.engine.app.ctx.store.last_seq();
    let mut socket = listen(&house, &format!("?after={head}")).await;
    house.write(1).await;
    assert_eq!(socket.events().await.len(), 1, "the first leaves at once");
    for _ in 0..10 {
        house.write(1).await;
    }
    let together = socket.events().await;
    assert_eq!(together.len(), 10, "the rest of the slot comes in one frame");
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_hears_only_what_it_subscribed_to_and_is_told_when_it_is_not_understood() {
    let house = House::quiet().await;
    let head = house.engine.app.ctx.store.last_seq();
    let mut socket = listen(&house, &format!("?after={head}")).await;
    for bad in ["nonsense", "[]", r#"{"action":"shout"}"#, r#"{"action":"subscribe","events":["A"]}"#] {
        socket.say(bad).await;
        let told = socket.frame().await;
        assert_eq!((told["v"].as_i64(), told["error"]["code"].as_str()), (Some(1), Some("bad_frame")), "{bad}: {told}");
    }
    socket.say(r#"{"action":"subscribe","events":["token.*"]}"#).await;
    // The subscription holds as soon as it is read; what is written before that may still be told.
    socket.say("now").await;
    socket.frame().await;
    house.write(5).await;
    house.post("/api/tokens", json!({"name": "eye"})).await;
    assert_eq!(socket.events().await[0]["event"], "token.created");
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_position_of_another_log_is_answered_with_a_gap() {
    let house = House::quiet().await;
    house.write(3).await;
    let head = house.engine.app.ctx.store.last_seq();
    let mut socket = listen(&house, "?after=999999").await;
    let gap = socket.frame().await;
    assert_eq!(
        (gap["v"].as_i64(), gap["event"].as_str(), gap["data"]["from"].as_i64()),
        (Some(1), Some("feed.gap"), Some(head))
    );
    house.write(1).await;
    assert_eq!(socket.seqs_until(head + 1).await, [head + 1]);
    house.end().await;
}

// shows: api: a socket that goes on where events were removed gets every event still kept, and a gap frame only then
#[tokio::test(flavor = "multi_thread")]
async fn a_gap_is_told_only_to_who_missed_something_that_was_removed() {
    let house = House::quiet().await;
    kept::grow(&house, 3_000).await;
    let removed = kept::thin(&house).await;
    let store = &house.engine.app.ctx.store;
    let (last, first_gone) = (removed.last, 257);
    let head = store.last_seq();
    let left = store.read(move |r| {
        let kept = |seq: i64| r.event(seq).map(|found| found.map(|_| seq));
        (1..=head).map(kept).collect::<Result<Vec<_>, _>>()
    });
    let left: Vec<i64> = left.await.expect("read").into_iter().flatten().collect();
    // Within what was thinned, at its end, and after it.
    for (after, gap) in [(first_gone, true), (last - 1, true), (last, false), (head - 5, false)] {
        let mut socket = listen(&house, &format!("?after={after}")).await;
        let expected: Vec<i64> = left.iter().copied().filter(|seq| *seq > after).collect();
        if gap {
            let frame = socket.frame().await;
            assert_eq!(
                (frame["event"].as_str(), frame["data"]["from"].as_i64()),
                (Some("feed.gap"), expected.first().copied())
            );
        }
        assert_eq!(socket.seqs_until(head).await, expected, "after {after}");
    }
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_say_too_much_are_closed() {
    let house = House::quiet().await;
    let mut large = listen(&house, "").await;
    large.say("x".repeat(20_000)).await;
    assert_eq!(large.close_code().await, CloseCode::Size);
    let mut huge = listen(&house, "").await;
    huge.say("x".repeat(100_000)).await;
    assert_eq!(huge.close_code().await, CloseCode::Size);
    let mut often = listen(&house, "").await;
    for _ in 0..21 {
        often.say(r#"{"action":"subscribe","events":[]}"#).await;
    }
    assert_eq!(often.close_code().await, CloseCode::Policy);
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_may_look_from_this_site_hears_anything() {
    let house = House::quiet().await;
    let refused = |result: Result<Socket, Error>| match result {
        Err(Error::Http(answer)) => answer.status().as_u16(),
        _ => 0,
    };
    let bearer = format!("Bearer {RUN_TOKEN}");
    assert_eq!(refused(knock(&house, "", &[]).await), 401);
    assert_eq!(refused(knock(&house, &format!("?token={RUN_TOKEN}"), &[]).await), 401);
    assert_eq!(refused(knock(&house, "", &[("authorization", &bearer), ("origin", "http://evil.com")]).await), 403);
    assert_eq!(refused(knock(&house, "?after=x", &[("authorization", &bearer)]).await), 422);
    let browser = house.browser().await;
    let from_elsewhere = [("cookie", browser.cookie.as_str()), ("origin", "http://localhost:1")];
    assert_eq!(refused(knock(&house, "", &from_elsewhere).await), 403);
    let from_here = [("cookie", browser.cookie.as_str()), ("origin", house.base.as_str())];
    assert!(knock(&house, "", &from_here).await.is_ok());
    let plain = house.ask("GET", "/swarm/live").send().await.expect("an answer");
    assert_eq!(
        (plain.status().as_u16(), &plain.headers()["location"]),
        (303, &"/swarm/events".parse().expect("a header"))
    );
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_withdrawn_closes_its_socket() {
    let house = House::quiet().await;
    let token = house.post("/api/tokens", json!({"name": "eye"})).await["token"].as_str().expect("a token").to_owned();
    let mut socket = knock(&house, "", &[("authorization", &format!("Bearer {token}"))]).await.expect("a socket");
    house.ask("DELETE", "/api/tokens/eye").send().await.expect("revoked");
    assert_eq!(socket.close_code().await, CloseCode::Policy);
    house.end().await;
}

/// How many clients were closed because they were behind.
async fn closes(house: &House) -> u64 {
    let figures = house.ask("GET", "/metrics").send().await.expect("an answer").text().await.expect("text");
    let line = figures.lines().find_map(|line| line.strip_prefix("timmy_live_closes_total{code=\"1013\"} "));
    line.map_or(0, |number| number.parse().expect("a number"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_is_closed_and_can_go_on_where_it_was() {
    let feed = FeedSettings { websocket_event_throttle: 1_000, activity_feed_buffer: 2 };
    let house = House::with(vec![std::sync::Arc::new(Reflex::new("m"))], &[], feed).await;
    let head = house.engine.app.ctx.store.last_seq();
    let mut stalled = listen(&house, &format!("?after={head}")).await;
    let mut seqs = Vec::new();
    // Large events fill what the system buffers on both ends, however much that is.
    for round in 0..400 {
        if round % 20 == 0 && closes(&house).await == 1 {
            break;
        }
        use timmy_domain::{Event, NewEvent};
        let data = json!({"words": "x".repeat(12_000)});
        let events =
            (0..10).map(|_| NewEvent::new("test", Event::Unknown { name: "test.large".into(), data: data.clone() }));
        house.engine.app.ctx.store.append(events.collect()).await.expect("written");
    }
    let code = loop {
        match stalled.next().await {
            Message::Close(frame) => break frame.expect("a reason").code,
            message => {
                let frame: Value = serde_json::from_str(message.to_text().expect("text")).expect("JSON");
                let batch = frame["batch"].as_array().cloned().unwrap_or_else(|| vec![frame]);
                seqs.extend(batch.iter().filter_map(|e| e["seq"].as_i64()));
            }
        }
    };
    assert_eq!(code, CloseCode::Again);
    let last = *seqs.last().expect("some came");
    assert_eq!(seqs, (head + 1..=last).collect::<Vec<_>>());
    let end = house.engine.app.ctx.store.last_seq();
    assert!(last < end, "it was behind");
    let mut again = listen(&house, &format!("?after={last}")).await;
    assert_eq!(again.seqs_until(end).await, (last + 1..=end).collect::<Vec<_>>());
    let figures = house.ask("GET", "/metrics").send().await.expect("an answer").text().await.expect("text");
    let figure = |name: &str| -> u64 {
        let line = figures.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("no {name}"))
    };
    assert_eq!(figure("timmy_live_closes_total{code=\"1013\"}"), 1);
    assert_eq!((figure("timmy_live_sockets"), figure("timmy_live_closes_total{code=\"gone\"}")), (1, 0));
    assert!(figure("timmy_live_resumes_total") >= 1 && figure("timmy_live_frames_total") >= 2, "{figures}");
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sockets_hear_that_the_server_stops() {
    let house = House::quiet().await;
    let mut socket = listen(&house, "").await;
    house.begin_to_stop();
    assert_eq!(socket.close_code().await, CloseCode::Away);
    house.end().await;
}
