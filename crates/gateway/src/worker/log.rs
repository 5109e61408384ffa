//! A worker's log, passed on to ours line by line: what writes it parses remote bytes, so it may neither flood nor paint.

use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWriteExt as _, BufReader};

/// Longest line that is passed on, in bytes.
const LINE_BYTES_MAX: u64 = 4096;
/// Most lines of one session.
const LINES_MAX: usize = 2000;

/// Ends with the worker, and reads on where nothing more is passed on: a full pipe would stop it.
pub(super) async fn pass_on(from: impl AsyncRead + Unpin) {
    let mut from = BufReader::new(from);
    let mut line = Vec::new();
    for number in 0_usize.. {
        line.clear();
        let mut limited = tokio::io::AsyncReadExt::take(&mut from, LINE_BYTES_MAX);
        if limited.read_until(b'\n', &mut line).await.unwrap_or(0) == 0 {
            return;
        }
        if number > LINES_MAX {
            continue;
        }
        let text = if number == LINES_MAX {
            "a session's process has too much to say: the rest is left out"
        } else {
            &printable(&line)
        };
        tokio::io::stderr().write_all(format!("{text}\n").as_bytes()).await.ok();
    }
}

fn printable(line: &[u8]) -> String {
    String::from_utf8_lossy(line).trim_end().chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_log_line_is_text() {
        assert_eq!(super::printable(b"INFO \x1b[2Jhidden\xff\r\n"), "INFO \u{fffd}[2Jhidden\u{fffd}");
    }
}
