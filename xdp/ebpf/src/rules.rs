//! The generation's rules: read-only data that the loader fills and freezes before the program is verified.

use core::{arch::asm, cell::UnsafeCell, ptr};

use floodwall_xdp_abi::{Icmp, Rules, packet::Checks, rules::Limit};

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

/// Which limits, by bit, take a packet of the protocol with this number.
#[inline(always)]
pub(crate) fn by_protocol(number: u8) -> u64 {
    // SAFETY: the array has a place for each number.
    unsafe { row(&raw const RULES.by_protocol, number.into()) }
}

/// Which limits, by bit, take a packet of this ICMP type.
#[inline(always)]
pub(crate) fn by_icmp(icmp: Icmp) -> u64 {
    let row = icmp.row() as usize;
    if row >= Icmp::ROWS {
        return 0;
    }
    // SAFETY: the row is below the size of the array.
    unsafe { self::row(&raw const RULES.by_icmp, row) }
}

/// # Safety
/// `index` is below the size of the array.
#[inline(always)]
unsafe fn row<const N: usize>(array: *const [u16; N], index: usize) -> u64 {
    // SAFETY: as the caller says.
    u64::from(unsafe { ptr::read_volatile(array.cast::<u16>().add(index)) })
}

/// The checks that the rules ask for.
#[derive(Clone, Copy)]
pub(crate) struct Asked;

impl Checks for Asked {
    #[inline(always)]
    fn on(self, check: u32) -> bool {
        on(check)
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

/// A zero of which the verifier knows nothing: put to a number with an exclusive or, it makes the verifier forget
/// what it knows of that, so that it need not look at what follows once for each of the ways that led here.
#[inline(always)]
pub(crate) fn unknown_zero() -> u64 {
    // SAFETY: the word is there and aligned.
    unsafe { ptr::read_volatile(ZERO.0.get()) }
}

/// Makes the verifier forget what it knows of one number.
#[inline(always)]
pub(crate) fn forget(number: u64) -> u64 {
    forget_by(unknown_zero(), number)
}

/// As [`forget`], by an unknown zero that was read before. The compiler may not put it off: then the verifier would
/// come to what stands between on every way.
#[inline(always)]
pub(crate) fn forget_by(zero: u64, number: u64) -> u64 {
    let mut number = number;
    // SAFETY: the instruction is an exclusive or of two registers.
    unsafe { asm!("{} ^= {}", inout(reg) number, in(reg) zero, options(nomem, nostack)) };
    number
}
