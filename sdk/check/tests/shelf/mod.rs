//! A provider with every form that an attribute can have, and nothing behind it.

use std::collections::BTreeMap;

use tfplugin::{
    AnyDataSource, AnyResource, Applied, Attr, Context, Create, DataSource, Delete, Diagnostics, Model, Provider, Read,
    Refreshed, Resource, Update, Value, async_trait,
};

pub(crate) struct Shelf;

/// The shelf.
#[derive(Model, Clone, Debug)]
pub(crate) struct Config {
    /// Where it stands.
    #[attr(optional)]
    url: Attr<String>,
    /// How often it is asked.
    #[attr(optional)]
    retry: Attr<Retry>,
}

/// Patience.
#[derive(Model, Clone, Debug)]
pub(crate) struct Retry {
    /// How often.
    #[attr(optional)]
    count: Attr<i64>,
}

/// A book.
#[derive(Model, Clone, Debug)]
pub(crate) struct Book {
    /// What it is called.
    #[attr(optional)]
    name: Attr<String>,
    /// Where it is kept.
    #[attr(optional)]
    storage: Attr<Storage>,
    /// Those who read it.
    #[attr(optional)]
    pools: Attr<Vec<Pool>>,
    /// Retries by name.
    #[attr(optional)]
    by_name: Attr<BTreeMap<String, Retry>>,
    /// Texts by name.
    #[attr(optional)]
    tags: Attr<BTreeMap<String, String>>,
    /// Anything.
    #[attr(optional)]
    extra: Attr<Value>,
    /// Its number.
    #[attr(computed)]
    isbn: Attr<String>,
}

/// A place.
#[derive(Model, Clone, Debug)]
pub(crate) struct Storage {
    /// How much.
    #[attr(optional)]
    size: Attr<String>,
    /// Of what kind.
    #[attr(optional)]
    class: Attr<String>,
}

/// Readers.
#[derive(Model, Clone, Debug)]
pub(crate) struct Pool {
    /// Who they are.
    #[attr(optional)]
    name: Attr<String>,
    /// What they may use.
    #[attr(optional)]
    limits: Attr<Limits>,
}

/// An upper end.
#[derive(Model, Clone, Debug)]
pub(crate) struct Limits {
    /// Processors.
    #[attr(optional)]
    cpu: Attr<i64>,
}

#[async_trait]
impl Provider for Shelf {
    type Config = Config;

    fn name(&self) -> &'static str {
        "shelf"
    }

    fn resources(&self) -> Vec<AnyResource> {
        vec![AnyResource::new(Books)]
    }

    fn data_sources(&self) -> Vec<AnyDataSource> {
        vec![AnyDataSource::new(Cards)]
    }

    async fn configure(&self, _cx: &Context, _config: Config) -> Diagnostics {
        Diagnostics::new()
    }
}

struct Books;

#[async_trait]
impl Resource for Books {
    type Model = Book;

    fn type_name(&self) -> &'static str {
        "shelf_book"
    }

    async fn create(&self, _cx: &Context, request: Create<Book>) -> Applied<Book> {
        Applied::done(request.planned, request.private)
    }

    async fn read(&self, _cx: &Context, request: Read<Book>) -> Refreshed<Book> {
        Refreshed::present(request.state, request.private)
    }

    async fn update(&self, _cx: &Context, request: Update<Book>) -> Applied<Book> {
        Applied::done(request.planned, request.private)
    }

    async fn delete(&self, _cx: &Context, _request: Delete<Book>) -> Diagnostics {
        Diagnostics::new()
    }
}

struct Cards;

#[async_trait]
impl DataSource for Cards {
    type Model = Book;

    fn type_name(&self) -> &'static str {
        "shelf_card"
    }

    async fn read(&self, _cx: &Context, config: Book) -> Result<(Book, Diagnostics), Diagnostics> {
        Ok((config, Diagnostics::new()))
    }
}
