//! What is put right before a signal ends the process.

use std::io;
use std::sync::{Mutex, Once, PoisonError};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

type Repair = Box<dyn FnMut() + Send>;

static REPAIRS: Mutex<Vec<Repair>> = Mutex::new(Vec::new());

/// Has something done before SIGINT, SIGTERM or SIGHUP end the process, which they then do as always. A signal that
/// is ignored, as that of a closed terminal is below `nohup`, stays so.
pub(crate) fn before_end(repair: impl FnMut() + Send + 'static) {
    static WATCHED: Once = Once::new();
    REPAIRS.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(repair));
    // Where signals cannot be watched they do what they always do.
    WATCHED.call_once(|| drop(watch()));
}

fn watch() -> io::Result<()> {
    let ignored = ignored();
    let heeded = |signal: &i32| ignored & (1 << (signal - 1)) == 0;
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP].into_iter().filter(heeded))?;
    std::thread::spawn(move || {
        for signal in &mut signals {
            let mut repairs = REPAIRS.lock().unwrap_or_else(PoisonError::into_inner);
            repairs.iter_mut().for_each(|repair| repair());
            // Where this fails there is nothing left to be done.
            let _ = emulate_default_handler(signal);
        }
    });
    Ok(())
}

/// The signals that were ignored when the process began: one bit each, the first for signal 1 (proc(5), `SigIgn`). Where
/// the system does not say so, none.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}
