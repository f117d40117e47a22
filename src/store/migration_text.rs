//! What a migration's text says: the columns and keys that it makes. Imports
//! nothing.

/// The name of a table in a migration. An empty name of the schema is that of
/// SQLite, which has none.
pub(super) fn in_schema(schema: &str, table: &str) -> String {
    match schema {
        "" => table.to_owned(),
        _ => format!("{{schema}}.{table}"),
    }
}

/// The first word of a definition.
fn first_word(text: &str) -> Option<String> {
    text.split([' ', '(', ',', ';']).next().map(str::to_owned)
}

/// What a migration defines, each with its table, by how migrations are written:
/// columns and keys of a table in its first line, or each in one of its own.
fn definitions(sql: &str) -> Vec<(String, &str)> {
    let bare = |name: &str| first_word(name.strip_prefix("{schema}.").unwrap_or(name));
    let (mut all, mut table) = (Vec::new(), None);
    for line in sql.lines() {
        let mut inside = vec![line.trim_start()];
        if let Some((name, column)) = line
            .strip_prefix("ALTER TABLE ")
            .and_then(|rest| rest.split_once(" ADD COLUMN "))
        {
            all.extend(bare(name).map(|table| (table, column)));
            continue;
        }
        if let Some((name, rest)) = line
            .strip_prefix("CREATE TABLE ")
            .and_then(|rest| rest.split_once(" ("))
        {
            table = bare(name);
            inside = rest.split(", ").collect();
        }
        let named = inside
            .into_iter()
            .filter_map(|text| Some((table.clone()?, text)));
        all.extend(named.filter(|(_, text)| !text.is_empty() && !text.starts_with([')', '-'])));
        if line.starts_with(')') || line.ends_with(");") {
            table = None;
        }
    }
    all
}

/// Table and column of all that a migration creates.
pub(super) fn created(sql: &str) -> Vec<(String, String)> {
    let columns = definitions(sql).into_iter();
    let columns = columns.filter(|(_, text)| !text.starts_with("PRIMARY KEY"));
    columns
        .filter_map(|(table, text)| Some((table, first_word(text)?)))
        .collect()
}

/// Table and columns of the keys that a migration creates, of which no two rows
/// have the same.
pub(super) fn unique_keys(sql: &str) -> Vec<(String, Vec<String>)> {
    let key = |text: &str| -> Option<Vec<String>> {
        if let Some(columns) = text.strip_prefix("PRIMARY KEY (") {
            let (columns, _) = columns.split_once(')')?;
            return Some(columns.split(", ").map(str::to_owned).collect());
        }
        let is_key = text.contains(" PRIMARY KEY") || text.contains(" UNIQUE");
        is_key.then(|| first_word(text).into_iter().collect())
    };
    let all = definitions(sql).into_iter();
    all.filter_map(|(table, text)| Some((table, key(text)?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{created, unique_keys};

    #[test]
    fn each_way_to_write_a_migration_is_read() {
        let sql = "CREATE TABLE {schema}.a (id integer PRIMARY KEY, path text NOT NULL);
CREATE TABLE b (
  one   boolean PRIMARY KEY DEFAULT true CHECK (one), -- a word, another
  -- and a line
  at    text NOT NULL DEFAULT (strftime('%Y', 'now')),
  PRIMARY KEY (one, at)
) WITHOUT ROWID;
INSERT INTO b (one) VALUES (1);
ALTER TABLE {schema}.a ADD COLUMN identity uuid;
CREATE INDEX c ON b (at);";
        let all: Vec<String> = created(sql)
            .into_iter()
            .map(|(table, column)| format!("{table}.{column}"))
            .collect();
        assert_eq!(all, ["a.id", "a.path", "b.one", "b.at", "a.identity"]);
        let keys: Vec<String> = unique_keys(sql)
            .into_iter()
            .map(|(table, key)| format!("{table}.{}", key.join("+")))
            .collect();
        assert_eq!(keys, ["a.id", "b.one", "b.one+at"]);
    }
}
