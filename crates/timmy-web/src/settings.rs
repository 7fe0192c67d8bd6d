//! The settings of the web server.

use timmy_domain::settings;

settings! {
    /// Where and for whom the server listens.
    pub struct ServerSettings in "server" {
        /// The port to listen on; 0 picks a free one and prints it.
        port: u64 = 8_000, Range(0, 65_535);
        /// The address to listen on. 127.0.0.1 is this machine only; 0.0.0.0 is every network this machine is in.
        bind: String = "127.0.0.1".to_owned(), BytesMax(64);
        /// Further names under which browsers may reach the server, such as "timmy.lan"; loopback names and the address listened on are always allowed.
        allowed_hosts: Vec<String> = Vec::new(), Free;
    }
}

settings! {
    /// The live feed.
    pub struct FeedSettings in "feed" {
        /// Frames a second that go to one client at most; what falls in between travels together.
        websocket_event_throttle: u64 = 10, Range(1, 1_000);
        /// Frames a client may be behind before it is disconnected and has to resume.
        activity_feed_buffer: u64 = 100, Range(1, 10_000);
    }
}
