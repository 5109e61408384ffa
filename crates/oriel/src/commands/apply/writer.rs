//! What there is, written as a file that `oriel apply` takes.

use super::{
    said::{self, Keys, Present, Said},
    tree::Language,
};
use oriel_server::api::{
    external::Machine,
    image::{Image, ImageSource},
    pool::Pool,
};
use std::fmt::Write as _;

/// Words that YAML may take for something else than a name.
const YAML_WORDS: [&str; 9] = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"];

/// A table with a name.
struct Section {
    name: String,
    comments: Vec<String>,
    keys: Vec<(String, Said)>,
    /// Nouns of its own, each with what is below it: one at least.
    below: Vec<(&'static str, Vec<Section>)>,
}

impl Section {
    fn new(name: &str, keys: Keys) -> Self {
        let keys = keys.into_iter().map(|(key, said)| (key.to_owned(), said)).collect();
        Self { name: name.to_owned(), comments: Vec::new(), keys, below: Vec::new() }
    }
}

/// The whole file.
pub fn write(present: &Present, language: Language) -> String {
    let nouns = [
        ("image", images(present)),
        ("group", present.groups.iter().map(|group| Section::new(&group.name, said::group(group))).collect()),
        ("pool", present.pools.iter().map(|one| pool(present, one)).collect()),
        ("user", users(present)),
    ];
    let mut text = head(present);
    for (noun, sections) in nouns {
        if sections.is_empty() {
            continue;
        }
        match language {
            Language::Toml => toml(&mut text, noun, &sections),
            Language::Yaml => yaml(&mut text, noun, &sections, 0),
        }
    }
    text
}

fn head(present: &Present) -> String {
    let mut text = String::from(
        "# What this Oriel has, as `oriel apply -f FILE` takes it.\n\
         # Left out: people's passwords and second factors; people of directories and providers, who are made when they first\n\
         # sign in; secrets of machines, each named where it belongs; desktops and what is on them; disks of images.\n",
    );
    for cloud in &present.clouds {
        writeln!(
            text,
            "# Cloud {} is added with `oriel cloud add`: how to sign in there stays out of files.",
            cloud.name
        )
        .ok();
    }
    text
}

fn images(present: &Present) -> Vec<Section> {
    let mut names: Vec<&str> = present.images.iter().map(|image| image.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    // How one came to be that was made from a desktop, no file can say.
    let can_be_said = |image: &&Image| !matches!(image.source, ImageSource::Captured { .. });
    let newest = names.into_iter().filter_map(|name| present.newest(name)).filter(can_be_said);
    newest.map(|image| Section::new(&image.name, said::image(image))).collect()
}

fn users(present: &Present) -> Vec<Section> {
    let own = present.users.iter().filter(|user| user.directory.is_none() && user.provider.is_none());
    own.map(|user| Section::new(&user.name, said::user(user))).collect()
}

fn pool(present: &Present, pool: &Pool) -> Section {
    let mut keys = said::pool(pool);
    // A name alone goes on to mean the newest version, where the pool has that.
    if let Some(image) = &pool.image
        && present.newest(&image.name).is_some_and(|newest| newest.id == image.id)
        && let Some((_, said)) = keys.iter_mut().find(|(key, _)| *key == "image")
    {
        *said = Said::Text(image.name.clone());
    }
    keys.push(("users", Said::List(pool.users.iter().map(|one| one.name.clone()).collect())));
    keys.push(("groups", Said::List(pool.groups.iter().map(|one| one.name.clone()).collect())));
    let machines: Vec<Section> = present.machines.iter().filter(|one| one.pool.id == pool.id).map(machine).collect();
    let apps = present.apps.iter().filter(|one| one.pool.id == pool.id);
    let apps: Vec<Section> = apps.map(|one| Section::new(&one.name, said::app(&one.run))).collect();
    let below = [("machine", machines), ("app", apps)].into_iter().filter(|(_, below)| !below.is_empty());
    Section { below: below.collect(), ..Section::new(&pool.name, keys) }
}

fn machine(machine: &Machine) -> Section {
    let secrets = [
        (machine.has_password, "a password", "password_file"),
        (machine.has_private_key, "a private key", "private_key_file"),
        (machine.has_totp, "the secret of a second factor", "totp_file"),
        (machine.has_gateway_password, "a password for its RD Gateway", "gateway_password_file"),
    ];
    let kept = secrets.into_iter().filter(|(has, _, _)| *has);
    let comments =
        kept.map(|(_, what, key)| format!("It has {what}, which is not written here: {key} = \"FILE\"")).collect();
    Section { name: machine.name.clone(), comments, keys: said::machine(machine), below: Vec::new() }
}

/// A text between quotes, as both languages read it.
fn quoted(text: &str) -> String {
    // JSON's strings are theirs, but for one character that TOML wants escaped.
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}

fn is_bare(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c))
        && !YAML_WORDS.contains(&name.to_ascii_lowercase().as_str())
}

fn key(name: &str) -> String {
    if is_bare(name) { name.to_owned() } else { quoted(name) }
}

fn value(said: &Said) -> String {
    match said {
        Said::Text(text) => quoted(text),
        Said::Whole(number) => number.to_string(),
        Said::Truth(truth) => truth.to_string(),
        Said::List(items) => format!("[{}]", items.iter().map(|item| quoted(item)).collect::<Vec<_>>().join(", ")),
    }
}

fn toml(text: &mut String, path: &str, sections: &[Section]) {
    for section in sections {
        let path = format!("{path}.{}", key(&section.name));
        writeln!(text, "\n[{path}]").ok();
        for comment in &section.comments {
            writeln!(text, "# {comment}").ok();
        }
        for (name, said) in &section.keys {
            writeln!(text, "{} = {}", key(name), value(said)).ok();
        }
        for (noun, below) in &section.below {
            toml(text, &format!("{path}.{noun}"), below);
        }
    }
}

fn yaml(text: &mut String, noun: &str, sections: &[Section], indent: usize) {
    let pad = " ".repeat(indent);
    if indent == 0 {
        text.push('\n');
    }
    writeln!(text, "{pad}{noun}:").ok();
    for section in sections {
        let nothing = section.keys.is_empty() && section.below.is_empty();
        writeln!(text, "{pad}  {}:{}", key(&section.name), if nothing { " {}" } else { "" }).ok();
        for comment in &section.comments {
            writeln!(text, "{pad}    # {comment}").ok();
        }
        for (name, said) in &section.keys {
            writeln!(text, "{pad}    {}: {}", key(name), value(said)).ok();
        }
        for (noun, below) in &section.below {
            yaml(text, noun, below, indent + 4);
        }
    }
}
