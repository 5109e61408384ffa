//! A small tree of XML elements. The library escapes; nothing is pasted together.

use quick_xml::{
    Writer,
    events::{BytesEnd, BytesStart, BytesText, Event},
};

#[derive(Debug, thiserror::Error)]
pub enum XmlError {
    #[error("cannot write the machine's XML description")]
    Write(#[from] std::io::Error),
    #[error("{what} needs libvirt {need} or newer, and this host has {have}; update it, or take a GPU in another mode")]
    LibvirtTooOld { what: &'static str, need: String, have: String },
    #[error("no such machine can be built: {0}")]
    Impossible(&'static str),
}

#[derive(Clone, Debug)]
pub(crate) struct Element {
    name: &'static str,
    attributes: Vec<(&'static str, String)>,
    children: Vec<Self>,
    text: Option<String>,
}

pub(crate) fn element(name: &'static str) -> Element {
    Element { name, attributes: Vec::new(), children: Vec::new(), text: None }
}

impl Element {
    pub(crate) fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.attributes.push((name, legal(&value.to_string())));
        self
    }

    pub(crate) fn child(mut self, child: Self) -> Self {
        self.children.push(child);
        self
    }

    pub(crate) fn children(mut self, children: impl IntoIterator<Item = Self>) -> Self {
        self.children.extend(children);
        self
    }

    pub(crate) fn text(mut self, text: impl ToString) -> Self {
        self.text = Some(legal(&text.to_string()));
        self
    }

    pub(crate) fn render(&self) -> Result<String, XmlError> {
        let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
        self.write(&mut writer)?;
        Ok(String::from_utf8_lossy(&writer.into_inner()).into_owned())
    }

    fn write(&self, writer: &mut Writer<Vec<u8>>) -> Result<(), XmlError> {
        let mut start = BytesStart::new(self.name);
        for (name, value) in &self.attributes {
            start.push_attribute((*name, value.as_str()));
        }
        if self.children.is_empty() && self.text.is_none() {
            return Ok(writer.write_event(Event::Empty(start))?);
        }
        writer.write_event(Event::Start(start))?;
        if let Some(text) = &self.text {
            writer.write_event(Event::Text(BytesText::new(text)))?;
        }
        for child in &self.children {
            child.write(writer)?;
        }
        Ok(writer.write_event(Event::End(BytesEnd::new(self.name)))?)
    }
}

/// XML 1.0 §2.2 has no place for most control characters, not even escaped.
fn legal(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_control() && !matches!(c, '\t' | '\n' | '\r') || matches!(c, '\u{fffe}' | '\u{ffff}') {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::element;

    #[test]
    fn escapes_and_drops_what_xml_cannot_hold() {
        let xml = element("a").with("b", "'\"<&>\0\u{1b}").child(element("c").text("</c>&\u{ffff}")).render().unwrap();
        assert_eq!(xml, "<a b=\"&apos;&quot;&lt;&amp;&gt;\u{fffd}\u{fffd}\">\n  <c>&lt;/c&gt;&amp;\u{fffd}</c>\n</a>");
    }
}
