//! What happened, for `/api/log`: the last lines, in memory.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::watch;

/// Lines that are kept, and the longest of them, in characters.
const LINES_MAX: usize = 1000;
const LINE_CHARS_MAX: usize = 400;

#[derive(Debug)]
pub(crate) struct Log {
    lines: Mutex<VecDeque<(u64, String)>>,
    /// How many there have been.
    count: watch::Sender<u64>,
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

impl Default for Log {
    fn default() -> Self {
        Self { lines: Mutex::default(), count: watch::Sender::new(0) }
    }
}

impl Log {
    pub fn add(&self, text: &str) {
        let line: String = text.chars().filter(|one| !one.is_control()).take(LINE_CHARS_MAX).collect();
        tracing::info!(line, "A served device");
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() >= LINES_MAX {
            lines.pop_front();
        }
        lines.push_back((now(), line));
        self.count.send_modify(|count| *count += 1);
    }

    /// Lines of the last so many seconds (0: all), and how many there have been.
    pub fn since(&self, seconds: u64) -> (String, u64) {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let from = if seconds == 0 { 0 } else { now().saturating_sub(seconds) };
        let text = lines.iter().filter(|(at, _)| *at >= from).map(|(at, line)| written(*at, line)).collect();
        (text, *self.count.borrow())
    }

    /// Waits for lines after the first `seen`; what they are, and how many there have been.
    pub async fn after(&self, seen: u64) -> (String, u64) {
        let mut count = self.count.subscribe();
        // The sender lives as long as we do.
        count.wait_for(|count| *count > seen).await.ok();
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let all = *self.count.borrow();
        let new = usize::try_from(all - seen.min(all)).unwrap_or(usize::MAX).min(lines.len());
        let text = lines.iter().skip(lines.len() - new).map(|(at, line)| written(*at, line)).collect();
        (text, all)
    }
}

fn written(at: u64, line: &str) -> String {
    let time = jiff::Timestamp::from_second(at as i64).unwrap_or_default();
    format!("[{} kvmd] --- {line}\r\n", time.strftime("%Y-%m-%d %H:%M:%S"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_are_bounded_and_followed() {
        let log = Log::default();
        for at in 0..=LINES_MAX {
            log.add(&format!("line {at}\n\u{7}"));
        }
        let (text, seen) = log.since(0);
        assert_eq!((text.lines().count(), seen), (LINES_MAX, LINES_MAX as u64 + 1));
        assert!(text.ends_with(" kvmd] --- line 1000\r\n"));
        let (new, all) = tokio::join!(log.after(seen), async { log.add("one more") }).0;
        assert!(new.ends_with("--- one more\r\n") && new.lines().count() == 1);
        assert_eq!(all, seen + 1);
    }
}
