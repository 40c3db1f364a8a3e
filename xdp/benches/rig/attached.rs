//! Somebody else's program, which an interface runs.

use std::rc::Rc;

use aya::programs::{ProgramInfo, Xdp, loaded_programs};

use super::{
    case::{Program, time},
    tools::run,
};

/// The program of an interface: for xdp-filter a dispatcher that calls it.
pub(crate) fn on(interface: &str) -> Result<Program, crate::Failure> {
    let shown = run(&format!("ip -details link show dev {interface}"))?;
    let mut words = shown.split_whitespace().skip_while(|word| *word != "id");
    let id: u32 = words.nth(1).ok_or("no XDP program")?.parse()?;
    let info: ProgramInfo = loaded_programs()
        .filter_map(Result::ok)
        .find(|info| info.id() == id)
        .ok_or("the program has gone")?;
    let attach_type = aya_obj::programs::XdpAttachType::Interface;
    let program = Xdp::from_program_info(info, interface.to_owned().into(), attach_type)?;
    Ok(Rc::new(move |packet, repeat| {
        time(&program, packet, repeat)
    }))
}
