use std::{
    io::{Read, Write},
    os::unix::net::UnixStream,
};

use super::*;
use crate::control::{callers::EACH, client::ask};

/// Serves answers that count the blocks to be cleared, until the guard is dropped.
fn served(path: &Path) -> tokio::runtime::Runtime {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let door = Door::claim(path).unwrap();
    runtime.spawn(door.serve(|request, _| match request {
        Request::ClearBlocks => Reply::BlocksRemoved { count: 3 },
        other => Reply::Failed {
            message: format!("{other:?}"),
        },
    }));
    runtime
}

fn answers(path: &Path) -> bool {
    matches!(
        ask(path, &Request::ClearBlocks),
        Ok(Reply::BlocksRemoved { count: 3 })
    )
}

fn said(path: &Path, words: &[u8]) -> String {
    let mut stream = UnixStream::connect(path).unwrap();
    // The service may have hung up already.
    let _ = stream.write_all(words);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer
}

#[test]
fn garbage_and_half_lines_harm_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control.sock");
    let _runtime = served(&path);
    assert!(said(&path, b"GET / HTTP/1.1\r\n").contains("not a message"));
    assert!(said(&path, b"{\"version\":9,\"body\":\"status\"}\n").contains("version 9"));
    assert!(said(&path, b"\xff\xfe\0\n").contains("not a message"));
    assert_eq!(said(&path, b""), "");
    assert_eq!(said(&path, b"{\"version\":1,\"body\":\"clear_bl"), "");
    assert!(said(&path, &vec![b'x'; MAX_REQUEST + 10]).contains("64 MiB at most"));
    assert_eq!(said(&path, &vec![b'['; 100_000]), "");
    assert!(said(&path, &[vec![b'['; 100_000], vec![b'\n']].concat()).contains("not a message"));
    assert!(answers(&path));
}

#[test]
fn silent_callers_do_not_keep_others_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control.sock");
    let _runtime = served(&path);
    let mut silent: Vec<_> = (1..EACH)
        .map(|_| UnixStream::connect(&path).unwrap())
        .collect();
    assert!(answers(&path));
    // Those who have asked and left may have their places still, or not any more: then one more is let in.
    let refused = (0..1000).any(|_| {
        silent.push(UnixStream::connect(&path).unwrap());
        let answer = ask(&path, &Request::ClearBlocks);
        matches!(answer, Ok(Reply::Failed { message }) if message.contains("close some"))
    });
    assert!(refused, "one user has no bound");
    drop(silent);
}

#[test]
fn one_caller_may_ask_many_times() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control.sock");
    let _runtime = served(&path);
    let twice = [encode(&Request::ClearBlocks), encode(&Request::ClearBlocks)].concat();
    let answer = said(&path, &twice);
    assert_eq!(answer.lines().count(), 2, "{answer}");
}
