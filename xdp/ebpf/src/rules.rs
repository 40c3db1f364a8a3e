//! The generation's rules: read-only data that the loader fills and freezes before the program is verified.

use core::{cell::UnsafeCell, ptr};

use floodwall_xdp_abi::{Rules, rules::Limit};

#[unsafe(no_mangle)]
static RULES: Rules = Rules::EMPTY;

/// Reads one field. Volatile, for the compiler must not take the object's placeholder for the value.
macro_rules! rule {
    ($field:ident) => {
        // SAFETY: the field of a static is there and aligned.
        unsafe { ::core::ptr::read_volatile(&raw const $crate::rules::rules().$field) }
    };
}
pub(crate) use rule;

#[inline(always)]
pub(crate) fn rules() -> &'static Rules {
    &RULES
}

/// Whether a flag of the rules is set.
#[inline(always)]
pub(crate) fn on(flag: u32) -> bool {
    rule!(flags) & flag != 0
}

/// Which limits, by bit, take a packet of this protocol.
#[inline(always)]
pub(crate) fn by_protocol(protocol: floodwall_xdp_abi::Protocol) -> u64 {
    // SAFETY: a protocol's number is below four, the size of the array.
    unsafe {
        ptr::read_volatile(
            (&raw const RULES.by_protocol)
                .cast::<u64>()
                .add(protocol as usize),
        )
    }
}

/// The limit of this index, which the caller has bounded.
#[inline(always)]
pub(crate) fn limit(index: usize) -> &'static Limit {
    // SAFETY: `index` is below `LIMITS`; the verifier refuses the program otherwise.
    unsafe { &*(&raw const RULES.limits).cast::<Limit>().add(index) }
}

/// Reads one field of a limit, as [`rule`] does.
macro_rules! limit_field {
    ($limit:expr, $field:ident) => {
        // SAFETY: the field of a reference is there and aligned.
        unsafe { ::core::ptr::read_volatile(&raw const $limit.$field) }
    };
}
pub(crate) use limit_field;

/// A zero that the verifier does not know, for it is not read-only.
static ZERO: Unknown = Unknown(UnsafeCell::new(0));

struct Unknown(UnsafeCell<u64>);

// SAFETY: nobody writes it.
unsafe impl Sync for Unknown {}

/// Makes the verifier forget what it knows of a number, so that it need not look at what follows once for
/// each of the ways that led here.
#[inline(always)]
pub(crate) fn forget(number: u64) -> u64 {
    // SAFETY: the word is there and aligned.
    number | unsafe { ptr::read_volatile(ZERO.0.get()) }
}
