//! The addresses that are to be listened on: ours already, or free.

use std::{io, net::SocketAddr, os::unix::net::UnixStream, path::Path};

use floodwall_config::ListenAddress;
use socket2::{Domain, Socket, Type};

use super::{Finding, Patient, Verdict};
use crate::server;

const AREA: &str = "listeners";

pub(super) fn check(patient: &Patient<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for listener in &patient.config.listeners {
        let address = listener.address.to_string();
        let ours = patient.running.is_some_and(|status| {
            let mut served = status.listeners.iter();
            served.any(|each| each.address == address)
        });
        findings.push(if ours {
            Finding::ok(
                AREA,
                &listener.name,
                format!("{address}: the service listens there"),
            )
        } else {
            match &listener.address {
                ListenAddress::Tcp(at) => free(&listener.name, *at),
                ListenAddress::Unix(path) => free_path(&listener.name, path),
            }
        });
    }
    if let (Some(admin), None) = (patient.config.admin.address, patient.running) {
        findings.push(free("admin.address", admin));
    }
    findings
}

fn free(name: &str, address: SocketAddr) -> Finding {
    match may_bind(address) {
        Ok(()) => Finding::ok(AREA, name, format!("{address}: free")),
        Err(error) => taken(
            name,
            &address.to_string(),
            &server::hint(&error, address.port()),
            || format!("ss -lntp 'sport = {}': who listens there", address.port()),
        ),
    }
}

/// Takes the address without listening on it, and lets go of it at once.
fn may_bind(address: SocketAddr) -> io::Result<()> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())
}

fn free_path(name: &str, path: &Path) -> Finding {
    let words = format!("unix:{}", path.display());
    if UnixStream::connect(path).is_ok() {
        return taken(
            name,
            &words,
            "another process listens there already",
            || format!("ss -lxp | grep {}", path.display()),
        );
    }
    Finding::ok(AREA, name, format!("{words}: free"))
}

fn taken(name: &str, address: &str, hint: &str, mend: impl FnOnce() -> String) -> Finding {
    Finding::ok(AREA, name, format!("{address}: {hint}")).but(
        Verdict::Problem,
        "the service does not start, or not with this listener",
        mend(),
    )
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn an_address_that_somebody_listens_on_is_a_problem_and_a_free_one_is_left_free() {
        let somebody = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = somebody.local_addr().unwrap();
        assert_eq!(free("web", address).verdict, Verdict::Problem);
        drop(somebody);
        assert_eq!(free("web", address).verdict, Verdict::Ok);
        assert!(TcpListener::bind(address).is_ok());
    }

    #[test]
    fn an_address_of_another_host_is_a_problem() {
        // TEST-NET-1: nobody's.
        assert_eq!(
            free("web", "192.0.2.1:8080".parse().unwrap()).verdict,
            Verdict::Problem
        );
    }
}
