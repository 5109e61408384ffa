//! The client against OpenIPMI's simulator of a BMC, a fake one with faults, and that fake against another client.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod fake;
mod sick;
mod simulator;

use oriel_ipmi::Account;
use std::net::SocketAddr;
use tokio::net::UdpSocket;

/// A socket that is connected to it.
async fn socket(to: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.connect(to).await.unwrap();
    socket
}

fn ada(password: &str) -> Account {
    Account { user: "ada".to_owned(), password: password.to_owned().into() }
}
