//! Rust sources as `syn` reads them.

use anyhow::{Context as _, Result};
use proc_macro2::{TokenStream, TokenTree};
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{Attribute, UseTree};

/// A function with its length.
pub struct Function {
    /// The type and the name, such as `Engine::start`.
    pub name: String,
    /// Its first line, from 1.
    pub line: usize,
    /// From the signature to the closing brace.
    pub lines: usize,
}

/// What the rules need to know about one file.
#[derive(Default)]
pub struct Source {
    pub functions: Vec<Function>,
    /// Lines of modules that exist only in tests.
    pub test_lines: usize,
    /// Names that the file defines and texts that it contains, each with its line.
    pub words: Vec<(usize, String)>,
    /// Paths that product code uses, one segment per element.
    pub paths: Vec<Vec<String>>,
    /// Types that hold a secret and can be serialised.
    pub serialisable_secrets: Vec<usize>,
    /// Tests that do not run.
    pub ignored: Vec<usize>,
    in_tests: bool,
    of: Option<String>,
}

impl Source {
    /// Reads a file.
    ///
    /// # Errors
    /// If it is not Rust.
    pub fn read(path: &str, text: &str) -> Result<Source> {
        let file = syn::parse_file(text).with_context(|| format!("{path} cannot be parsed"))?;
        let mut source = Source::default();
        source.visit_file(&file);
        Ok(source)
    }

    fn function(&mut self, signature: &syn::Signature, end: usize) {
        let line = signature.fn_token.span.start().line;
        let name = match &self.of {
            Some(of) => format!("{of}::{}", signature.ident),
            None => signature.ident.to_string(),
        };
        self.functions.push(Function { name, line, lines: end + 1 - line });
        self.define(&signature.ident);
    }

    fn define(&mut self, name: &syn::Ident) {
        self.words.push((name.span().start().line, name.to_string()));
    }

    /// The texts in a macro's arguments, which `syn` does not look into.
    fn texts(&mut self, tokens: TokenStream) {
        for token in tokens {
            match token {
                TokenTree::Group(group) => self.texts(group.stream()),
                TokenTree::Literal(literal) => {
                    let line = literal.span().start().line;
                    if let Ok(text) = syn::parse_str::<syn::LitStr>(&literal.to_string()) {
                        self.words.push((line, text.value()));
                    }
                }
                _ => {}
            }
        }
    }

    fn use_tree(&mut self, before: &[String], tree: &UseTree) {
        let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
        match tree {
            UseTree::Path(path) => self.use_tree(&with(&path.ident), &path.tree),
            UseTree::Name(name) => self.paths.push(with(&name.ident)),
            UseTree::Rename(name) => self.paths.push(with(&name.ident)),
            UseTree::Glob(_) => self.paths.push(before.to_vec()),
            UseTree::Group(group) => {
                group.items.iter().for_each(|tree| self.use_tree(before, tree));
            }
        }
    }

    fn type_defined(&mut self, line: usize, attributes: &[Attribute], fields: &syn::Fields) {
        let serialises = has_any(attributes, "derive", &["Serialize", "Deserialize", "TS"]);
        let holds = fields.iter().any(|field| {
            has_word(&field.ty, &["Secret", "SecretString", "SecretBox", "Credentials"])
        });
        if serialises && holds {
            self.serialisable_secrets.push(line);
        }
    }
}

impl<'ast> Visit<'ast> for Source {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        self.define(&item.ident);
        let is_test = has_any(&item.attrs, "cfg", &["test"]);
        if is_test && !self.in_tests && item.content.is_some() {
            self.test_lines += item.span().end().line + 1 - item.span().start().line;
        }
        let before = self.in_tests;
        self.in_tests |= is_test;
        visit::visit_item_mod(self, item);
        self.in_tests = before;
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if !self.in_tests {
            self.use_tree(&[], &item.tree);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if !self.in_tests && path.segments.len() > 1 {
            self.paths.push(path.segments.iter().map(|it| it.ident.to_string()).collect());
        }
        visit::visit_path(self, path);
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.function(&item.sig, item.block.brace_token.span.close().end().line);
        visit::visit_item_fn(self, item);
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        if let (Some((_, of, _)), syn::Type::Path(path)) = (&item.trait_, &*item.self_ty) {
            let serialises = of.segments.iter().any(|it| {
                ["Serialize", "Deserialize", "Display"].iter().any(|name| it.ident == name)
            });
            if serialises && path.path.is_ident("Secret") {
                self.serialisable_secrets.push(item.impl_token.span.start().line);
            }
        }
        let of = match &*item.self_ty {
            syn::Type::Path(path) => path.path.segments.last().map(|it| it.ident.to_string()),
            _ => None,
        };
        let before = std::mem::replace(&mut self.of, of);
        visit::visit_item_impl(self, item);
        self.of = before;
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.function(&item.sig, item.block.brace_token.span.close().end().line);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        let end = item.span().end().line;
        self.function(&item.sig, end);
        visit::visit_trait_item_fn(self, item);
    }

    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        self.define(&item.ident);
        self.type_defined(item.struct_token.span.start().line, &item.attrs, &item.fields);
        visit::visit_item_struct(self, item);
    }

    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        self.define(&item.ident);
        for variant in &item.variants {
            self.type_defined(variant.ident.span().start().line, &item.attrs, &variant.fields);
        }
        visit::visit_item_enum(self, item);
    }

    fn visit_variant(&mut self, variant: &'ast syn::Variant) {
        self.define(&variant.ident);
        visit::visit_variant(self, variant);
    }

    fn visit_field(&mut self, field: &'ast syn::Field) {
        if let Some(name) = &field.ident {
            self.define(name);
        }
        visit::visit_field(self, field);
    }

    fn visit_item_const(&mut self, item: &'ast syn::ItemConst) {
        self.define(&item.ident);
        visit::visit_item_const(self, item);
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        self.define(&item.ident);
        visit::visit_item_trait(self, item);
    }

    fn visit_item_type(&mut self, item: &'ast syn::ItemType) {
        self.define(&item.ident);
        visit::visit_item_type(self, item);
    }

    fn visit_lit_str(&mut self, text: &'ast syn::LitStr) {
        self.words.push((text.span().start().line, text.value()));
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.texts(call.tokens.clone());
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        // Documentation and the arguments of attributes are neither names nor texts.
        if attribute.path().is_ident("ignore") {
            self.ignored.push(attribute.span().start().line);
        }
    }
}

/// Whether an attribute of this name mentions one of the words.
fn has_any(attributes: &[Attribute], name: &str, words: &[&str]) -> bool {
    attributes.iter().filter(|attribute| attribute.path().is_ident(name)).any(|attribute| {
        matches!(&attribute.meta, syn::Meta::List(list) if mentions(list.tokens.clone(), words))
    })
}

fn has_word(of: &syn::Type, words: &[&str]) -> bool {
    struct Find<'a>(&'a [&'a str], bool);
    impl Visit<'_> for Find<'_> {
        fn visit_ident(&mut self, name: &syn::Ident) {
            self.1 |= self.0.iter().any(|word| name == word);
        }
    }
    let mut find = Find(words, false);
    find.visit_type(of);
    find.1
}

fn mentions(tokens: TokenStream, words: &[&str]) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Group(group) => mentions(group.stream(), words),
        TokenTree::Ident(name) => words.iter().any(|word| name == word),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Source {
        Source::read("x.rs", text).unwrap()
    }

    #[test]
    fn functions_are_measured_from_the_signature_to_the_closing_brace() {
        let text = "/// Long\n/// docs.\nfn a() {\n}\nimpl X {\n    fn b(\n        &self,\n    ) {\n    }\n}";
        let lengths: Vec<_> =
            read(text).functions.into_iter().map(|it| (it.name, it.line, it.lines)).collect();
        assert_eq!(lengths, [("a".to_owned(), 3, 2), ("X::b".to_owned(), 6, 4)]);
    }

    #[test]
    fn paths_of_tests_are_no_imports_and_use_trees_are_multiplied_out() {
        let text = "use crate::{a, b::{C, d}};\n#[cfg(test)]\nmod tests {\n    use crate::e;\n}\n";
        let source = read(text);
        let paths: Vec<_> = source.paths.iter().map(|path| path.join("::")).collect();
        assert_eq!(paths, ["crate::a", "crate::b::C", "crate::b::d"]);
        assert_eq!(source.test_lines, 4);
    }

    #[test]
    fn texts_are_found_inside_macros_and_documentation_is_no_text() {
        let words = read("/// Doc.\nfn f() {\n    g!(\"one {x}\");\n    h(\"two\");\n}\n").words;
        let words: Vec<_> = words.iter().map(|(line, word)| (*line, word.as_str())).collect();
        assert_eq!(words, [(2, "f"), (3, "one {x}"), (4, "two")]);
    }

    #[test]
    fn a_type_that_holds_a_secret_may_not_be_serialisable() {
        let holds = |text: &str| read(text).serialisable_secrets;
        assert_eq!(holds("#[derive(Clone, Serialize)]\nstruct A { key: Option<Secret> }"), [2]);
        assert_eq!(holds("#[derive(TS)]\nenum A { B(Secret) }"), [2]);
        assert_eq!(holds("impl<'de> Deserialize<'de> for Secret {}"), [1]);
        let apart = "#[derive(Serialize)]\nstruct A { name: String }\nstruct B { key: Secret }";
        assert_eq!(holds(apart), Vec::<usize>::new());
    }
}
