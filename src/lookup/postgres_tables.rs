//! Which tables and columns a PostgreSQL database has, for a look-up that
//! names no others. Core.

use std::collections::BTreeSet;

use super::columns::Columns;
use super::json_row::{JsonRow, read_document};
use super::names::{AGENTS, CONFIGS, HERE, NUMBERS, STATE, USERS, literal, quoted};

/// The tables of a schema, as far as a look-up needs to know them.
#[derive(Debug, Clone)]
pub struct PgTables {
    /// As given, and in quotes.
    pub(super) schema: String,
    pub(super) quoted_schema: String,
    pub(super) columns: Columns,
    /// What is there; until that was looked at, all of it.
    pub(super) inspected: Option<Inspected>,
    /// Where nothing was looked at: the table of agents can't be asked.
    pub(super) without_agents: bool,
    config_references: Vec<ConfigReference>,
}

/// A column of the application's that points to the id of a config by a foreign
/// key, in quotes.
#[derive(Debug, Clone)]
pub struct ConfigReference {
    /// With its schema, where there are such.
    pub table: String,
    pub column: String,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Inspected {
    pub(super) tables: BTreeSet<String>,
    /// Tables with the columns that a look-up reads, which this role may.
    pub(super) readable: BTreeSet<String>,
    /// The type of `users.id` is uuid.
    pub(super) user_by_uuid: bool,
    /// Row-level security is active for this role, in whatever table.
    pub(super) row_security: bool,
}

/// The statement that looks at the tables of a schema; a catalogue that
/// everybody may read. A domain is as its base type. A trigger before each row
/// that is inserted (7) may put a value where there is none.
pub fn inspection(schema: &str) -> String {
    let schema = literal(schema);
    format!(
        "{HERE}SELECT pg_catalog.json_build_array(
           (SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_array(c.relname::text,
                (SELECT count(*) FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid
                   AND a.attname IN ('id', 'tenant_id') AND NOT a.attisdropped
                   AND has_column_privilege(c.oid, a.attnum, 'SELECT')) = 2,
                row_security_active(c.oid), c.relkind::text)),
                '[]'::json)
              FROM pg_catalog.pg_class c
              WHERE c.relnamespace = s.oid AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
                AND (c.relname IN ('{USERS}', '{AGENTS}', '{CONFIGS}', '{NUMBERS}')
                  OR c.relname LIKE 'lkroute\\_%')),
           (SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_array(c.relname::text, a.attname::text,
                coalesce(b.typname, t.typname)::text, coalesce(b.typtype, t.typtype)::text,
                quote_ident(n.nspname) || '.' || quote_ident(t.typname),
                format_type(a.atttypid, a.atttypmod), a.attgenerated <> '',
                (SELECT string_agg(e.enumlabel, E'\\n' ORDER BY e.enumsortorder)
                   FROM pg_catalog.pg_enum e WHERE e.enumtypid = coalesce(b.oid, t.oid)),
                CASE WHEN coalesce(b.typname, t.typname) IN ('varchar', 'bpchar') AND m.of >= 0
                  THEN m.of WHEN coalesce(b.typname, t.typname) = 'name' THEN 63 END,
                CASE WHEN coalesce(b.typname, t.typname) = 'numeric' AND m.of >= 0
                  THEN (m.of >> 16) - (((m.of & 2047) # 1024) - 1024) END,
                (a.attnotnull OR t.typnotnull) AND c.relkind = 'r' AND NOT EXISTS (
                  SELECT FROM pg_catalog.pg_trigger g WHERE g.tgrelid = c.oid
                    AND g.tgtype & 7 = 7 AND g.tgenabled <> 'D'),
                a.atthasdef OR a.attidentity <> '' OR t.typdefault IS NOT NULL)),
                '[]'::json)
              FROM pg_catalog.pg_attribute a
                JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
                JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
                JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
                LEFT JOIN pg_catalog.pg_type b ON b.oid = t.typbasetype AND t.typtype = 'd'
                CROSS JOIN LATERAL (SELECT
                  CASE t.typtype WHEN 'd' THEN t.typtypmod ELSE a.atttypmod END - 4) m (of)
              WHERE c.relnamespace = s.oid AND c.relname IN ('{NUMBERS}', '{CONFIGS}', '{USERS}')
                AND a.attnum > 0 AND NOT a.attisdropped),
           (SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_array(
                quote_ident(n.nspname) || '.' || quote_ident(r.relname), quote_ident(a.attname))),
                '[]'::json)
              FROM pg_catalog.pg_constraint f
                JOIN pg_catalog.pg_class c ON c.oid = f.confrelid
                JOIN pg_catalog.pg_class r ON r.oid = f.conrelid
                JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace
                JOIN pg_catalog.pg_attribute a ON a.attrelid = r.oid AND a.attnum = f.conkey[1]
                JOIN pg_catalog.pg_attribute k ON k.attrelid = c.oid AND k.attnum = f.confkey[1]
              WHERE f.contype = 'f' AND c.relnamespace = s.oid AND c.relname = '{CONFIGS}'
                AND f.conparentid = 0 AND cardinality(f.conkey) = 1 AND k.attname = 'id'
                AND has_column_privilege(r.oid, a.attnum, 'SELECT')))::text
         FROM (SELECT (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = {schema})) s (oid)"
    )
}

impl PgTables {
    /// Before anything was looked at: all tables are taken to be there, with
    /// the columns that lkroute's own migrations make.
    pub fn assumed(schema: &str) -> PgTables {
        PgTables {
            schema: schema.to_owned(),
            quoted_schema: quoted(schema),
            columns: Columns::default(),
            inspected: None,
            without_agents: false,
            config_references: Vec::new(),
        }
    }

    /// The same where the table of agents turned out not to be there, or not
    /// for this role.
    pub fn assume_no_agents(&mut self) {
        self.without_agents = true;
    }

    /// Whether the table of agents is taken to be there without a look.
    pub fn assumes_agents(&self) -> bool {
        self.inspected.is_none() && !self.without_agents
    }

    /// What [`inspection`] gave.
    ///
    /// # Errors
    /// It is something else.
    pub fn read(schema: &str, text: &str) -> Result<PgTables, String> {
        let document = read_document(text)?;
        let parts = JsonRow::read(&document)?;
        let mut found = PgTables::assumed(schema);
        let mut inspected = Inspected::default();
        for table in JsonRow::read_all(parts.cell(0)?.ok_or("no tables")?)? {
            let table = table?;
            let name = table.some_text(0)?.to_owned();
            if table.flag(1)? {
                inspected.readable.insert(name.clone());
            }
            let is_secured = table.flag(2)?;
            inspected.row_security |= is_secured;
            found.columns.are_numbers_secured |= is_secured && name == NUMBERS;
            found.columns.add_table(&name, table.some_text(3)?);
            inspected.tables.insert(name);
        }
        for column in JsonRow::read_all(parts.cell(1)?.ok_or("no columns")?)? {
            let column = column?;
            found.columns.add(&column)?;
            let is = |ix, text: &str| column.text(ix).map(|found| found == Some(text));
            inspected.user_by_uuid |= is(0, USERS)? && is(1, "id")? && is(2, "uuid")?;
        }
        for key in JsonRow::read_all(parts.cell(2)?.ok_or("no foreign keys")?)? {
            let key = key?;
            found.config_references.push(ConfigReference {
                table: key.some_text(0)?.to_owned(),
                column: key.some_text(1)?.to_owned(),
            });
        }
        found.inspected = Some(inspected);
        Ok(found)
    }

    pub fn is_inspected(&self) -> bool {
        self.inspected.is_some()
    }

    pub fn columns(&self) -> &Columns {
        &self.columns
    }

    pub fn config_references(&self) -> &[ConfigReference] {
        &self.config_references
    }

    pub fn schema(&self) -> &str {
        &self.schema
    }

    pub fn has(&self, table: &str) -> bool {
        let there = |inspected: &Inspected| inspected.tables.contains(table);
        self.inspected.as_ref().is_none_or(there)
    }

    pub fn has_own(&self) -> bool {
        self.has(STATE)
    }

    /// Whether there is a table of users, readable or not.
    pub fn has_users(&self) -> bool {
        self.has(USERS)
    }

    /// Whether this role may not read the users that there are, or they have
    /// other columns.
    pub fn are_users_denied(&self) -> bool {
        let denied = |it: &Inspected| it.tables.contains(USERS) && !it.readable.contains(USERS);
        self.inspected.as_ref().is_some_and(denied)
    }

    pub(super) fn has_agents(&self) -> bool {
        match &self.inspected {
            Some(inspected) => inspected.readable.contains(AGENTS),
            None => !self.without_agents,
        }
    }
}
