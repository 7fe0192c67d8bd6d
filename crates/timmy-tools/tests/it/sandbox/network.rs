//! Attempts to reach something: this machine, the network, other programs' sockets.

use std::io::Read;
use std::net::{TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::time::Duration;

use timmy_tools::sandbox::{Net, Tier};

use super::{Scene, at_least, shown, without};

// shows: hands: a tool without a network reaches nothing: no connection, no datagram, no socket of this machine
#[tokio::test]
async fn every_kind_of_socket() {
    if !at_least(Tier::T2, "sockets").await {
        return;
    }
    let scene = Scene::new();
    let tcp = TcpListener::bind("127.0.0.1:0").expect("listens");
    tcp.set_nonblocking(true).expect("set");
    let udp = UdpSocket::bind("127.0.0.1:0").expect("listens");
    udp.set_nonblocking(true).expect("set");
    let path = scene.inside.join("door.sock");
    let unix = UnixListener::bind(&path).expect("listens");
    unix.set_nonblocking(true).expect("set");
    let name = format!("timmy-test-{}", std::process::id());
    let hidden = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).expect("a name")).expect("listens");
    hidden.set_nonblocking(true).expect("set");
    let tcp_at = tcp.local_addr().expect("an address").to_string();
    let udp_at = udp.local_addr().expect("an address").to_string();
    let attempts: [&[&str]; 4] = [&["tcp", &tcp_at], &["udp", &udp_at], &["unix", &shown(&path)], &["abstract", &name]];
    for attempt in attempts {
        let held = scene.within(attempt).await;
        assert!(held.is_err(), "{attempt:?}: {held:?}");
    }
    assert!(scene.within(&["udp", "8.8.8.8:53"]).await.is_err(), "a name cannot be asked for");
    let mut part = [0; 16];
    assert!(
        tcp.accept().is_err() && udp.recv(&mut part).is_err() && unix.accept().is_err() && hidden.accept().is_err()
    );
    for attempt in attempts {
        assert_eq!(without(attempt).as_deref(), Ok("sent"), "the control: {attempt:?}");
    }
    let (mut came, _) = tcp.accept().expect("the control came");
    came.set_nonblocking(false).expect("set");
    came.set_read_timeout(Some(Duration::from_secs(10))).expect("set");
    let count = came.read(&mut part).expect("read");
    assert_eq!(&part[..count], b"mine");
    assert!(udp.recv(&mut part).is_ok() && unix.accept().is_ok() && hidden.accept().is_ok());
}

#[tokio::test]
async fn with_a_network_the_sockets_of_this_machine_stay_closed() {
    if !at_least(Tier::T2, "a network").await {
        return;
    }
    let scene = Scene::new();
    let policy = scene.policy().net(Net::Full);
    let tcp = TcpListener::bind("127.0.0.1:0").expect("listens");
    let at = tcp.local_addr().expect("an address").to_string();
    assert_eq!(scene.with(policy.clone(), &["tcp", &at]).await.as_deref(), Ok("sent"));
    let path = scene.inside.join("door.sock");
    let _unix = UnixListener::bind(&path).expect("listens");
    assert!(scene.with(policy.clone(), &["unix", &shown(&path)]).await.is_err());
    let name = format!("timmy-full-{}", std::process::id());
    let _hidden = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).expect("a name")).expect("listens");
    assert!(scene.with(policy, &["abstract", &name]).await.is_err());
}
