// listen tcp|udp ADDRESS: an HTTP server, or one that sends every datagram back.
use std::io::{Read, Write};
use std::net::{TcpListener, UdpSocket};

fn main() {
    let words: Vec<String> = std::env::args().collect();
    if words[1] == "tcp" {
        let listener = TcpListener::bind(&words[2]).unwrap();
        for client in listener.incoming() {
            let mut client = client.unwrap();
            let mut request = [0u8; 4096];
            if client.read(&mut request).is_ok() {
                let _ = client.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n");
            }
        }
    } else {
        let receiver = UdpSocket::bind(&words[2]).unwrap();
        let mut datagram = [0u8; 65536];
        loop {
            let (size, from) = receiver.recv_from(&mut datagram).unwrap();
            let _ = receiver.send_to(&datagram[..size], from);
        }
    }
}
