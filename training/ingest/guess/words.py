"""What the words in a column's name mean, in the languages that shops write most."""

import re
import unicodedata
from typing import Final

WORDS: Final[dict[str, tuple[str, ...]]] = {
    "user_id": ("user", "customer", "visitor", "client", "member", "household", "account", "buyer", "shopper", "uid",
                "cust", "guest", "listener", "reader", "subscriber", "player", "kunde", "kunden", "kundenkarte",
                "cliente", "usuario", "utilisateur", "utente", "klant", "顧客", "会員", "用户", "客户", "عميل"),
    "item_id": ("item", "product", "sku", "stockcode", "article", "movie", "asin", "isbn", "goods", "track", "book",
                "ean", "plu", "upc", "listing", "material", "song", "video", "course", "hotel", "url", "artikel",
                "produkt", "produit", "producto", "produto", "prodotto", "articulo", "articolo", "商品", "产品",
                "منتج"),
    "event_timestamp": ("eventtimestamp", "timestamp", "datetime", "time", "date", "createdat", "created", "ts", "at",
                        "when", "invoicedate", "orderdate", "purchasedate", "eventtime", "ordertime", "purchasetime",
                        "datum", "fecha", "日時", "購入日時", "注文日時", "時間", "日期", "下单时间", "تاريخ"),
    "event_type": ("eventtype", "eventname", "event", "action", "behavior", "behaviour", "type", "activity"),
    "basket_id": ("basket", "order", "invoice", "transaction", "session", "receipt", "cart", "txn", "booking",
                  "bestellung", "bestell", "rechnung", "beleg", "bon", "commande", "pedido", "ordine",
                  "factura", "注文", "订单"),
    "quantity": ("quantity", "qty", "units", "count", "menge", "anzahl", "quantite", "cantidad", "quantita", "aantal",
                 "quantidade", "数量", "個数"),
    "price": ("price", "unitprice", "amount", "paid", "preis", "einzelpreis", "prix", "precio", "prezzo", "preco",
              "prijs", "単価", "価格", "单价", "价格"),
    "title": ("title", "name", "productname", "itemname", "description", "headline", "desc", "bezeichnung",
              "artikelbezeichnung", "artikelname", "titel", "titre", "titulo", "libelle", "商品名", "产品名称"),
    "category": ("category", "categorycode", "productline",
                 "genre", "group", "class", "kategorie", "warengruppe", "categorie",
                 "categoria", "カテゴリ", "カテゴリー", "类别"),
    "subcategory": ("subcategory", "producttype"),
    "department": ("department", "section", "aisle", "abteilung"),
    "brand": ("brand", "label", "maker", "artist", "author", "seller", "vendor", "marke", "marque", "marca",
              "ブランド", "品牌"),
    "age_band": ("age", "ageband", "agegroup"),
    "gender": ("gender", "sex"),
    "region": ("region", "state", "country", "city"),
}  # fmt: skip
NUMBERED: Final = ("user_id", "item_id", "basket_id")
"""What is called by a key of its own."""
KEYS: Final = ("id", "no", "nr", "num", "number", "nummer", "code", "key", "uri", "uuid", "ref", "sku",
               "コード", "番号", "编号", "编码")  # fmt: skip
"""What follows the name of a thing where a column holds what it is called by; alone, the file says whose it is."""
A_KEY: Final = f"({'|'.join(KEYS)})"
PLURALS: Final = ("s", "es", "n", "en")
"""How names of several things end: orders, pedidos, Bestellungen."""
MAIL: Final = ("email", "mail", "emailaddress", "customeremail", "billingemail")
"""Which customers have and shops know them by, where they have no number."""
PEOPLE: Final = re.compile("first|last|middle|contact|company|surname|nickname|username|customer|user|member|employee")
"""In the name of a column with names of people, which are no titles."""
LINE: Final = ("line", "lines")
"""Of an order: what is said of it is said of an item."""
OF_ITEMS: Final = ("title", "category", "subcategory", "department", "brand", "price", "quantity")
NAMED: Final = ("item_id", "title", "event_type")
"""What has its name for a title."""


def is_called(ours: str, column: str) -> bool:
    """Whether the column's name, or the end of the path to a value, is one of those that mean ours and nothing else."""
    names = {ours.replace("_", ""), *WORDS[ours]}
    meant = names | {f"{word}s" for word in names}
    if ours in NUMBERED:
        meant |= {f"{word}id" for word in names}
    parts = column.split(".")
    return not meant.isdisjoint(plain("".join(parts[-last:])) for last in (len(parts), 1, 2))


def is_key_of(ours: str, column: str) -> bool:
    """Whether the name ends in what the thing is called by, Hotel Code, Belegnr; or is id_pedido, the key before it."""
    return any(re.fullmatch(rf".*{word}s?{A_KEY}|{A_KEY}{word}s?", plain(column)) for word in WORDS[ours])


def is_key(column: str) -> bool:
    """Whether the name begins or ends in what any thing is called by: id_categoria, Zone Code, kategorienr."""
    words = words_in(column) or [""]
    whole = re.fullmatch(rf"(.+?){A_KEY}", words[-1])  # paid ends in id too, but pa means nothing
    return not {words[0], words[-1]}.isdisjoint(KEYS) or (
        whole is not None and any(_means(ours, whole[1]) for ours in WORDS)
    )


def whole_names(stem: str, key: str) -> set[str]:
    """What a bare key of a file is called elsewhere: orderid or idorder, of id in orders.csv; empty for another key."""
    bare = plain(key)
    if bare not in KEYS:
        return set()
    return {whole for name in _one_of((words_in(stem) or [""])[-1]) for whole in (f"{name}{bare}", f"{bare}{name}")}


def ends_in(ours: str, column: str) -> bool:
    """Whether the last word of the name means ours: the SKU of `Plan SKU`."""
    return _means(ours, _head(column))


def is_of_an_item(ours: str, column: str) -> bool:
    """Whether the name says ours of an item, as `Lineitem name` and `items.item_category` do."""
    *before, last = words_in(column) or [""]
    return (
        ours in OF_ITEMS
        and _means(ours, last)
        and bool(before)
        and all(word in LINE or _is_item(word) for word in before)
    )


def has_word(ours: str, column: str) -> bool:
    """Whether a word of ours is in the name, and its last word means nothing else of ours."""
    if not any((len(word) > 3 or not word.isascii()) and word in plain(column) for word in WORDS[ours]):
        return False
    if ours == "title" and PEOPLE.search(plain(column)):
        return False
    head = _head(column)
    if ours not in NUMBERED and is_key(column):
        return False
    return _means(ours, head) or not any(_means(other, head) for other in WORDS if other != ours)


def _head(column: str) -> str:
    """What a name says last: `paid at` is a time; the name of a brand is a brand, and the name of an item its title."""
    *before, last = words_in(column) or [""]
    named = before[-1] if before and last == "name" else ""
    return named if named and any(_means(ours, named) for ours in WORDS if ours not in NAMED) else last


def words_in(column: str) -> list[str]:
    """The words of a name, also where capitals part them: paid, at of paidAt."""
    parted = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", column)
    return [word for part in re.split(r"[\W_]+", parted) if (word := plain(part))]


def plain(column: str) -> str:
    """The name's letters and figures alone, in small letters and without accents."""
    marked = unicodedata.normalize("NFKD", column.lower())
    bare = "".join(
        sign for sign in marked if not unicodedata.combining(sign) or (not sign.isascii() and _is_kana(sign))
    )
    return re.sub(r"[\W_]", "", unicodedata.normalize("NFC", bare))


def _is_kana(sign: str) -> bool:
    """Whether a mark is a part of a Japanese letter: ド is another one than ト."""
    return sign in "\u3099\u309a"


def _means(ours: str, word: str) -> bool:
    return not _one_of(word).isdisjoint(WORDS[ours])


def _one_of(many: str) -> set[str]:
    """The word, and what a single one may be called where it names several."""
    return {many, re.sub("ies$", "y", many), *(many.removesuffix(plural) for plural in PLURALS)}


def _is_item(word: str) -> bool:
    return any(word.removesuffix("s") == one or (len(one) > 3 and one in word) for one in WORDS["item_id"])
