//! Floods of frames that cost more than they carry: each ends with the connection, and the service has time for others.

use std::io;

use floodwall_tests::{
    Http2,
    h2::{Frame, flag, kind, reason},
};

use crate::start;

/// Sends until the server has had enough, and tells for what reason.
fn flood(
    client: &mut Http2,
    most: usize,
    mut frames: impl FnMut(&mut Http2) -> Vec<Frame>,
) -> Option<u32> {
    for _ in 0..most {
        let frames = frames(client);
        let bytes: Vec<u8> = frames.iter().flat_map(Frame::bytes).collect();
        if client.write(&bytes).is_err() {
            break;
        }
    }
    client.farewell().expect("the connection is ended")
}

fn get(client: &mut Http2, path: &str) -> (u32, Frame) {
    let stream = client.new_stream();
    let fields = [
        (":method", "GET"),
        (":scheme", "http"),
        (":authority", "a"),
        (":path", path),
    ];
    (stream, Frame::headers(stream, &fields, true))
}

const PATIENT: &str = "/slow/5000";

#[test]
fn a_rapid_reset_ends_the_connection() {
    let (web, origin, floodwall) = start();
    let mut client = Http2::connect(web).expect("a connection");
    let end = flood(&mut client, 20_000, |client| {
        let (stream, open) = get(client, PATIENT);
        vec![open, Frame::reset(stream, reason::CANCEL)]
    });
    assert_eq!(end, Some(reason::ENHANCE_YOUR_CALM));
    assert!(origin.count() < 1000, "{}", origin.count());
    assert_eq!(
        Http2::connect(web)
            .and_then(|mut client| client.get("/"))
            .expect("an answer")
            .status,
        Some(200)
    );
    floodwall_tests::eventually!(floodwall.status()["requests"]["in_flight"] == 0);
}

/// What a client does to a stream, in words and as a frame.
type Mistake = (&'static str, fn(u32) -> Frame);

/// What has the server reset a stream, or end the connection.
const MISTAKES: [Mistake; 6] = [
    ("a window that grows by nothing", |stream| {
        Frame::new(kind::WINDOW_UPDATE, 0, stream, [0; 4])
    }),
    ("a window that overflows", |stream| {
        Frame::new(kind::WINDOW_UPDATE, 0, stream, [0x7f, 0xff, 0xff, 0xff])
    }),
    ("DATA behind the end", |stream| {
        Frame::data(stream, b"x", true)
    }),
    ("HEADERS behind the end", |stream| {
        Frame::headers(stream, &[("x", "y")], true)
    }),
    ("a stream that depends on itself", |stream| {
        let on = stream.to_be_bytes();
        Frame::new(kind::PRIORITY, 0, stream, [&on[..], &[16]].concat())
    }),
    ("a priority that is cut off", |stream| {
        Frame::new(kind::PRIORITY, 0, stream, [0; 4])
    }),
];

/// Streams that the client has the server reset (CVE-2025-8671).
#[test]
fn made_you_reset_ends_the_connection() {
    let (web, origin, floodwall) = start();
    for (what, mistake) in MISTAKES {
        let mut client = Http2::connect(web).expect("a connection");
        let end = flood(&mut client, 20_000, |client| {
            let (stream, open) = get(client, PATIENT);
            vec![open, mistake(stream)]
        });
        assert_ne!(end, Some(reason::NO_ERROR), "{what}");
    }
    assert!(origin.count() < 1000, "{}", origin.count());
    floodwall_tests::eventually!(floodwall.status()["requests"]["in_flight"] == 0);
}

/// Streams beyond what the server allows are refused, and so often the connection ends.
#[test]
fn streams_beyond_the_bound_end_the_connection() {
    let (web, origin, _floodwall) = start();
    let mut client = Http2::connect(web).expect("a connection");
    let end = flood(&mut client, 20_000, |client| vec![get(client, PATIENT).1]);
    assert_eq!(end, Some(reason::ENHANCE_YOUR_CALM));
    assert!(origin.count() <= 128, "{}", origin.count());
}

#[test]
fn floods_of_small_frames_end_the_connection() {
    let (web, _origin, floodwall) = start();
    let frames = [
        ("PING", Frame::new(kind::PING, 0, 0, [0; 8])),
        ("SETTINGS", Frame::new(kind::SETTINGS, 0, 0, [])),
        (
            "PRIORITY",
            Frame::new(kind::PRIORITY, 0, 5, [0, 0, 0, 0, 9]),
        ),
        ("an unknown type", Frame::new(0xbb, 0, 0, [])),
        (
            "WINDOW_UPDATE",
            Frame::new(kind::WINDOW_UPDATE, 0, 0, [0, 0, 0, 1]),
        ),
    ];
    for (what, frame) in frames {
        let mut client = Http2::connect(web).expect("a connection");
        let end = flood(&mut client, 100_000, |_| vec![frame.clone(); 10]);
        assert_eq!(end, Some(reason::ENHANCE_YOUR_CALM), "{what}");
    }
    let offences = &floodwall.status()["connections"]["offences"];
    assert_eq!(offences["control_frames"], 4, "{offences}");
    assert_eq!(offences["window_updates"], 1, "{offences}");
}

#[test]
fn empty_data_ends_the_connection() {
    let (web, _origin, _floodwall) = start();
    let mut client = Http2::connect(web).expect("a connection");
    let stream = client.request("POST", "/", &[], false).expect("a stream");
    let end = flood(&mut client, 100_000, |_| {
        vec![Frame::data(stream, b"", false); 10]
    });
    assert_eq!(end, Some(reason::ENHANCE_YOUR_CALM));
}

#[test]
fn continuations_without_an_end_end_the_connection() {
    let (web, _origin, _floodwall) = start();
    for payload in [&[][..], &[0; 100]] {
        let mut client = Http2::connect(web).expect("a connection");
        let (stream, mut open) = get(&mut client, "/");
        open.flags &= !flag::END_HEADERS;
        client.send(&open).expect("it is open");
        let end = flood(&mut client, 100_000, |_| {
            vec![Frame::new(kind::CONTINUATION, 0, stream, payload); 10]
        });
        assert!(
            matches!(
                end,
                Some(reason::ENHANCE_YOUR_CALM | reason::PROTOCOL_ERROR)
            ),
            "{end:?}"
        );
    }
}

/// A few bytes that stand for a large field of the table, again and again.
#[test]
fn a_header_bomb_is_refused() -> io::Result<()> {
    let (web, origin, _floodwall) = start();
    let mut client = Http2::connect(web)?;
    let (stream, mut open) = get(&mut client, "/");
    // A field of 3000 bytes goes into the table as its newest entry, which is number 62 (0x3e).
    open.payload.extend([0x40, 1, b'x', 127, 0xb9, 0x16]);
    open.payload.extend([b'y'; 3000]);
    open.payload.extend([0x80 | 0x3e; 4000]);
    client.send(&open)?;
    let refused = client.end_of(stream);
    assert!(
        refused.is_err()
            || refused.is_ok_and(|ended| ended.status == Some(431) || ended.reset.is_some())
    );
    assert_eq!(origin.count(), 0);
    assert_eq!(Http2::connect(web)?.get("/")?.status, Some(200));
    Ok(())
}
