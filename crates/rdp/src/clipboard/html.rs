//! "HTML Format", the clipboard format that Windows registers for HTML (learn.microsoft.com, "HTML Clipboard Format"): a description of
//! lines `Keyword:value`, then the document in UTF-8. Offsets count bytes from the beginning of the description.

use oriel_screen::CLIPBOARD_BYTES_MAX;

/// Largest description that is looked at, in bytes: a handful of numbers and the document's address.
const DESCRIPTION_BYTES_MAX: usize = 8192;
const FRAGMENT_BEGIN: &str = "<!--StartFragment-->";
const FRAGMENT_END: &str = "<!--EndFragment-->";

/// How every description begins.
pub(super) const BEGIN: &[u8] = b"Version:";

/// The document: from `StartHTML` to `EndHTML`, or the fragment where the description says that there is no more. `None` where offsets
/// lie, where it is no UTF-8, and where it is longer than is carried.
pub(super) fn read(data: &[u8]) -> Option<String> {
    let description = data.get(..DESCRIPTION_BYTES_MAX.min(data.len()))?;
    let (mut html, mut fragment) = ((None, None), (None, None));
    for line in description.split(|byte| matches!(byte, b'\r' | b'\n')) {
        if line.is_empty() {
            continue;
        }
        let colon = line.iter().position(|byte| *byte == b':');
        let Some((key, value)) = colon.and_then(|at| Some((line.get(..at)?, line.get(at + 1..)?))) else { break };
        let number = || std::str::from_utf8(value).ok()?.trim().parse::<i64>().ok();
        match key {
            b"StartHTML" => html.0 = number(),
            b"EndHTML" => html.1 = number(),
            b"StartFragment" => fragment.0 = number(),
            b"EndFragment" => fragment.1 = number(),
            // What begins the document may have a colon as well.
            _ if key.first() == Some(&b'<') => break,
            _ => {}
        }
    }
    let part =
        |(from, to): (Option<i64>, Option<i64>)| data.get(usize::try_from(from?).ok()?..usize::try_from(to?).ok()?);
    let document = part(html).or_else(|| part(fragment))?;
    let end = document.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let document = std::str::from_utf8(document.get(..end)?).ok()?;
    (!document.is_empty() && document.len() <= CLIPBOARD_BYTES_MAX).then(|| document.to_owned())
}

/// A document of a browser with its description, as the machine gets it. What has no fragment marked is one as a whole.
pub(super) fn write(html: &str) -> Vec<u8> {
    let marked = html.find(FRAGMENT_BEGIN).map(|at| at + FRAGMENT_BEGIN.len());
    let marked = marked.and_then(|from| html.get(from..)?.find(FRAGMENT_END).map(|length| (from, from + length)));
    let (before, after, (from, to)) = match marked {
        Some(marked) => ("", "", marked),
        None => {
            let before = "<html><body>\r\n<!--StartFragment-->";
            (before, "<!--EndFragment-->\r\n</body></html>", (before.len(), before.len() + html.len()))
        }
    };
    let describe = |start: usize, end: usize, from: usize, to: usize| {
        format!(
            "Version:0.9\r\nStartHTML:{start:010}\r\nEndHTML:{end:010}\r\nStartFragment:{from:010}\r\nEndFragment:{to:010}\r\n"
        )
    };
    let start = describe(0, 0, 0, 0).len();
    let end = start + before.len() + html.len() + after.len();
    let mut data = describe(start, end, start + from, start + to).into_bytes();
    for part in [before, html, after, "\0"] {
        data.extend_from_slice(part.as_bytes());
    }
    data
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The example of "HTML Clipboard Format", with the line ends that its offsets count.
    const EXAMPLE: &str = "Version:0.9\r\nStartHTML:00000097\r\nEndHTML:00000170\r\nStartFragment:00000133\r\nEndFragment:00000134\r\n<html><body>\r\n<!--StartFragment -->X<!--EndFragment-->\r\n</body></html>";

    #[test]
    fn a_document_is_found_by_its_offsets() {
        let start = EXAMPLE.find("<html>").unwrap();
        assert_eq!(start, 97);
        let document = read(EXAMPLE.replace("00000170", &format!("{:08}", EXAMPLE.len())).as_bytes()).unwrap();
        assert_eq!(document, &EXAMPLE[start..]);
        // As Word and Internet Explorer have written it: an address, no document around the fragment, a closing zero.
        let fragment = "Version:1.0\r\nStartHTML:-1\r\nEndHTML:-1\r\nStartFragment:000000114\r\nEndFragment:000000130\r\nSourceURL:https://example.org/?a:b\r\n<b>fett \u{e4}\u{20ac}</b>\0";
        let at = fragment.find("<b>").unwrap();
        let fragment =
            fragment.replace("000000114", &format!("{at:09}")).replace("000000130", &format!("{:09}", fragment.len()));
        assert_eq!(read(fragment.as_bytes()).unwrap(), "<b>fett ä€</b>");
    }

    #[test]
    fn offsets_that_lie_are_refused() {
        let with = |start: &str, end: &str| {
            read(format!("Version:0.9\r\nStartHTML:{start}\r\nEndHTML:{end}\r\n<p>x</p>").as_bytes())
        };
        assert!(with("0", "20").is_some());
        for (start, end) in
            [("40", "9999"), ("20", "10"), ("-5", "10"), ("x", "10"), ("10", ""), ("10", "99999999999999999999")]
        {
            assert_eq!(with(start, end), None, "{start} to {end}");
        }
        assert_eq!(read(b""), None);
        assert_eq!(read(b"<p>Version:0.9</p>"), None);
        assert_eq!(read(b"Version:0.9\r\nStartHTML:0\r\nEndHTML:41\r\n\xff\xfe<p>"), None);
    }

    #[test]
    fn what_is_written_is_read_and_its_fragment_marked() {
        for html in ["<b>ä €</b>", "", "<html><body>a<!--StartFragment-->b<!--EndFragment-->c</body></html>"] {
            let data = write(html);
            let text = String::from_utf8(data.clone()).unwrap();
            let number = |key: &str| {
                let at = text.find(key).unwrap() + key.len() + 1;
                text[at..at + 10].parse::<usize>().unwrap()
            };
            let fragment = &text[number("StartFragment")..number("EndFragment")];
            assert_eq!(fragment, if html.contains("Fragment") { "b" } else { html });
            let document = &text[number("StartHTML")..number("EndHTML")];
            assert_eq!(read(&data).unwrap(), document);
            assert!(document.contains(html) && document.ends_with("</html>") && text.ends_with('\0'));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), digits in "[0-9-]{0,20}") {
            read(&bytes);
            let mut data = format!("Version:0.9\r\nStartHTML:{digits}\r\nEndHTML:{}\r\n", bytes.len()).into_bytes();
            data.extend_from_slice(&bytes);
            read(&data);
        }
    }
}
