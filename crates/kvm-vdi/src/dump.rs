//! A dump of kvm-vdi's database, as `mysqldump`, `mariadb-dump` and phpMyAdmin write it, up to its rows.
//!
//! Read are the columns of `CREATE TABLE` and the rows of `INSERT INTO … VALUES`, of the tables that mean something; everything else
//! is passed over, whatever it is.

use crate::lexer::{Lexer, Token, unescaped};
use crate::rows::{Fields, RowError, Rows, TABLES};
use crate::{COLUMNS_MAX, FILE_BYTES_MAX, TEXT_BYTES_MAX};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DumpError {
    #[error("the file has more than {FILE_BYTES_MAX} bytes: leave the log out (mysqldump --ignore-table=vdi.log vdi)")]
    TooLarge,
    #[error("line {line}: {what} does not end: the file was cut off, or is no dump of MySQL")]
    Open { what: &'static str, line: usize },
    #[error("line {line}: {wanted} should stand here: the file is no dump of MySQL, or is damaged")]
    Unexpected { wanted: &'static str, line: usize },
    #[error("line {line}: a value is not UTF-8: dump with --default-character-set=utf8mb4")]
    NotUtf8 { line: usize },
    #[error("line {line}: a value has more than {TEXT_BYTES_MAX} bytes")]
    TooLong { line: usize },
    #[error("line {line}: a table has more than {COLUMNS_MAX} columns")]
    TooWide { line: usize },
    #[error("line {line}: nobody says which columns the rows of {table} have: dump the tables' structure, too")]
    NoColumns { table: &'static str, line: usize },
    #[error("line {line}: {error}")]
    Row { error: RowError, line: usize },
    #[error("the file has no table {table}: it is no dump of kvm-vdi's database, or not of all of it")]
    NotKvmVdi { table: &'static str },
}

/// Tables without which it is not kvm-vdi's.
const NEEDED: [&str; 4] = ["clients", "pool", "poolmap", "vms"];

/// What stands in `CREATE TABLE` beside columns.
const KEYS: [&str; 9] = ["PRIMARY", "UNIQUE", "KEY", "INDEX", "CONSTRAINT", "FOREIGN", "FULLTEXT", "SPATIAL", "CHECK"];

/// The rows of the tables that are read, in the order of the file.
pub fn parse(dump: &[u8]) -> Result<Rows, DumpError> {
    if dump.len() > FILE_BYTES_MAX {
        return Err(DumpError::TooLarge);
    }
    let mut reader =
        Reader { lexer: Lexer::new(dump), columns: BTreeMap::new(), seen: BTreeSet::new(), rows: Rows::default() };
    while let Some(token) = reader.lexer.token()? {
        reader.statement(token)?;
    }
    match NEEDED.iter().find(|table| !reader.seen.contains(*table)) {
        Some(&table) => Err(DumpError::NotKvmVdi { table }),
        None => Ok(reader.rows),
    }
}

struct Reader<'a> {
    lexer: Lexer<'a>,
    /// As `CREATE TABLE` named them.
    columns: BTreeMap<&'static str, Vec<String>>,
    seen: BTreeSet<&'static str>,
    rows: Rows,
}

fn is(token: Token<'_>, keyword: &str) -> bool {
    matches!(token, Token::Word(word) if word.eq_ignore_ascii_case(keyword.as_bytes()))
}

/// Which of the tables that are read a name means, with a database before it or without.
fn table_of(name: &[u8]) -> Option<&'static str> {
    let last = name.rsplit(|byte| *byte == b'.').next().unwrap_or_default();
    TABLES.into_iter().find(|table| table.as_bytes() == last)
}

impl<'a> Reader<'a> {
    fn statement(&mut self, first: Token<'a>) -> Result<(), DumpError> {
        if first == Token::Sign(b';') {
            return Ok(());
        }
        if is(first, "DELIMITER") {
            self.routines();
            return Ok(());
        }
        if is(first, "CREATE") {
            return self.create();
        }
        if is(first, "INSERT") || is(first, "REPLACE") {
            return self.insert();
        }
        self.pass_over()
    }

    /// Bodies of routines and triggers have statements of their own, which are not of this file.
    fn routines(&mut self) {
        if self.lexer.rest_of_line().trim_ascii() == b";" {
            return;
        }
        while !self.lexer.is_at_end() {
            let line = self.lexer.rest_of_line().trim_ascii();
            let (word, end) = line.split_at_checked("DELIMITER".len()).unwrap_or((line, <&[u8]>::default()));
            if word.eq_ignore_ascii_case(b"DELIMITER") && end.trim_ascii() == b";" {
                return;
            }
        }
    }

    /// Up to the statement's end.
    fn pass_over(&mut self) -> Result<(), DumpError> {
        while let Some(token) = self.lexer.token()? {
            if token == Token::Sign(b';') {
                break;
            }
        }
        Ok(())
    }

    fn wanted(&mut self, wanted: &'static str) -> Result<Token<'a>, DumpError> {
        let token = self.lexer.token()?;
        token.ok_or_else(|| DumpError::Unexpected { wanted, line: self.lexer.line() })
    }

    fn unexpected<T>(&self, wanted: &'static str) -> Result<T, DumpError> {
        Err(DumpError::Unexpected { wanted, line: self.lexer.line() })
    }

    /// A table's name, and the word behind it.
    fn table(&mut self, first: Token<'a>) -> Result<(Option<&'static str>, Token<'a>), DumpError> {
        let mut token = first;
        loop {
            let (Token::Word(name) | Token::Name(name) | Token::Text { raw: name, .. }) = token else {
                return self.unexpected("a table's name");
            };
            let table = table_of(name);
            token = self.wanted("what is in the table")?;
            match token {
                // `vdi`.`pool`
                Token::Word([b'.']) => token = self.wanted("a table's name")?,
                _ => return Ok((table, token)),
            }
        }
    }

    fn create(&mut self) -> Result<(), DumpError> {
        if !is(self.wanted("TABLE")?, "TABLE") {
            return self.pass_over();
        }
        let mut token = self.wanted("a table's name")?;
        while is(token, "IF") || is(token, "NOT") || is(token, "EXISTS") {
            token = self.wanted("a table's name")?;
        }
        let (table, token) = self.table(token)?;
        let (Some(table), Token::Sign(b'(')) = (table, token) else { return self.pass_over() };
        let mut columns = Vec::new();
        let (mut depth, mut begins) = (1_usize, true);
        while depth > 0 {
            let token = self.wanted("a closing bracket")?;
            match token {
                Token::Word(name) | Token::Name(name) if begins => {
                    if !KEYS.iter().any(|key| is(token, key)) {
                        columns.push(self.text(name.to_vec())?);
                    }
                    if columns.len() > COLUMNS_MAX {
                        return Err(DumpError::TooWide { line: self.lexer.line() });
                    }
                }
                Token::Sign(b'(') => depth += 1,
                Token::Sign(b')') => depth -= 1,
                _ => {}
            }
            begins = depth == 1 && token == Token::Sign(b',');
        }
        self.columns.insert(table, columns);
        self.seen.insert(table);
        self.pass_over()
    }

    fn insert(&mut self) -> Result<(), DumpError> {
        const BEFORE: [&str; 5] = ["LOW_PRIORITY", "DELAYED", "HIGH_PRIORITY", "IGNORE", "INTO"];
        let mut token = self.wanted("a table's name")?;
        while BEFORE.iter().any(|word| is(token, word)) {
            token = self.wanted("a table's name")?;
        }
        let (table, mut token) = self.table(token)?;
        let Some(table) = table else { return if token == Token::Sign(b';') { Ok(()) } else { self.pass_over() } };
        self.seen.insert(table);
        let mut columns = None;
        if token == Token::Sign(b'(') {
            columns = Some(self.names()?);
            token = self.wanted("VALUES")?;
        }
        if !is(token, "VALUES") && !is(token, "VALUE") {
            return self.unexpected("VALUES");
        }
        let columns = match columns {
            Some(named) => named,
            None => self
                .columns
                .get(table)
                .cloned()
                .ok_or_else(|| DumpError::NoColumns { table, line: self.lexer.line() })?,
        };
        loop {
            if self.wanted("a row")? != Token::Sign(b'(') {
                return self.unexpected("a row in brackets");
            }
            let values = self.values()?;
            if values.len() != columns.len() {
                return self.unexpected("a row with a value for each column");
            }
            self.rows
                .add(&Fields { table, columns: &columns, values: &values })
                .map_err(|error| DumpError::Row { error, line: self.lexer.line() })?;
            match self.lexer.token()? {
                Some(Token::Sign(b',')) => {}
                Some(Token::Sign(b';')) | None => return Ok(()),
                // ON DUPLICATE KEY UPDATE
                Some(_) => return self.pass_over(),
            }
        }
    }

    /// Names of columns, up to the closing bracket.
    fn names(&mut self) -> Result<Vec<String>, DumpError> {
        let mut names = Vec::new();
        loop {
            match self.wanted("a column's name")? {
                Token::Word(name) | Token::Name(name) | Token::Text { raw: name, .. } => {
                    names.push(self.text(name.to_vec())?);
                }
                Token::Sign(b',') => {}
                Token::Sign(b')') => return Ok(names),
                Token::Sign(_) => return self.unexpected("a column's name"),
            }
            if names.len() > COLUMNS_MAX {
                return Err(DumpError::TooWide { line: self.lexer.line() });
            }
        }
    }

    /// The values of one row, up to the closing bracket.
    fn values(&mut self) -> Result<Vec<Option<String>>, DumpError> {
        let mut values = Vec::new();
        loop {
            values.push(self.value()?);
            if values.len() > COLUMNS_MAX {
                return Err(DumpError::TooWide { line: self.lexer.line() });
            }
            match self.wanted("a closing bracket")? {
                Token::Sign(b',') => {}
                Token::Sign(b')') => return Ok(values),
                _ => return self.unexpected("a comma or a closing bracket"),
            }
        }
    }

    fn value(&mut self) -> Result<Option<String>, DumpError> {
        const WANTED: &str = "a value";
        match self.wanted(WANTED)? {
            Token::Text { raw, quote } => self.read(raw, quote).map(Some),
            Token::Sign(b'-') => match self.wanted(WANTED)? {
                Token::Word(digits) => self.text([b"-", digits].concat()).map(Some),
                _ => self.unexpected(WANTED),
            },
            token @ Token::Word(word) => {
                if is(token, "NULL") {
                    return Ok(None);
                }
                // A character set before its text: _utf8mb4'…', _binary'…'.
                if word.first() == Some(&b'_') {
                    return match self.wanted(WANTED)? {
                        Token::Text { raw, quote } => self.read(raw, quote).map(Some),
                        Token::Word([b'0', b'x' | b'X', digits @ ..]) => self.hex(digits).map(Some),
                        _ => self.unexpected(WANTED),
                    };
                }
                match word {
                    [b'0', b'x' | b'X', digits @ ..] => self.hex(digits).map(Some),
                    [b'x' | b'X'] => match self.wanted(WANTED)? {
                        Token::Text { raw, .. } => self.hex(raw).map(Some),
                        _ => self.unexpected(WANTED),
                    },
                    // Bits: of those there are one at most in what is read.
                    [b'b' | b'B'] => match self.wanted(WANTED)? {
                        Token::Text { raw, .. } => self.text(raw.to_vec()).map(Some),
                        _ => self.unexpected(WANTED),
                    },
                    _ if is(token, "TRUE") => Ok(Some("1".to_owned())),
                    _ if is(token, "FALSE") => Ok(Some("0".to_owned())),
                    [b'0'..=b'9', ..] => self.text(word.to_vec()).map(Some),
                    _ => self.unexpected(WANTED),
                }
            }
            Token::Name(_) | Token::Sign(_) => self.unexpected(WANTED),
        }
    }

    fn read(&self, raw: &[u8], quote: u8) -> Result<String, DumpError> {
        if raw.len() > TEXT_BYTES_MAX {
            return Err(DumpError::TooLong { line: self.lexer.line() });
        }
        self.text(unescaped(raw, quote))
    }

    /// What digits of base 16 stand for (`mysqldump --hex-blob`).
    fn hex(&self, digits: &[u8]) -> Result<String, DumpError> {
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let mut bytes = Vec::with_capacity(digits.len() / 2);
        for pair in digits.chunks(2) {
            match *pair {
                [high, low] => match (digit(high), digit(low)) {
                    (Some(high), Some(low)) => bytes.push((high << 4) | low),
                    _ => return self.unexpected("digits of base 16"),
                },
                _ => return self.unexpected("digits of base 16, two for each byte"),
            }
        }
        self.text(bytes)
    }

    fn text(&self, bytes: Vec<u8>) -> Result<String, DumpError> {
        if bytes.len() > TEXT_BYTES_MAX {
            return Err(DumpError::TooLong { line: self.lexer.line() });
        }
        String::from_utf8(bytes).map_err(|_| DumpError::NotUtf8 { line: self.lexer.line() })
    }
}
