"""The page in a browser, over answers that a test gives: what it says while bundles are made."""

import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path

import pytest

from contracts.api.progress import Progress, State, Step

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
CARD = {"bundle_version": "v2", "num_items": 3, "data_end": "2018-01-01T00:00:00+00:00", "metrics": {}}
ITEM = {"item_id": "1", "title": "Milk", "department": "Dairy", "source": "repeat", "score": 2.0, "price": 1.5}
LIST = {"bundle_version": "v2", "request_id": "r", "degraded_level": "full", "items": [ITEM], "notes": []}
FIRST = Step(name="first", title="From counts", bundle_version="v1", seconds=28.4, ndcg=0.338)
SMALL = Step(name="small", title="Trained on few weeks", bundle_version="v2", seconds=116.0, ndcg=0.3612)
FULL = Step(name="full", title="Trained on everything")
STEPS = [FIRST, SMALL, FULL]


class Texts(HTMLParser):
    """The visible words of a page, one line an element."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if data.strip() and not {"script", "style"} & set(self._open):
            self.words.append(data.strip())


@contextmanager
def serving(progress: Progress, card: dict[str, object]) -> Iterator[str]:
    """The page's address on a server that says this progress, and this of its bundle."""
    page = (files("serving") / "pages" / "index.html").read_bytes()
    answers = {
        "/progress": progress.model_dump_json().encode(),
        "/bundle": json.dumps({**CARD, "example_user_ids": ["7"], **card}).encode(),
        "/recommendations/7": json.dumps(LIST).encode(),
        "/users/7/history": b'{"items": []}',
    }

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            self.send_response(200)
            self.send_header("content-type", "text/html" if path == "/" else "application/json")
            self.end_headers()
            self.wfile.write(page if path == "/" else answers[path])

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def shown(progress: Progress, profile: Path, card: dict[str, object] | None = None) -> str:
    """All words of the page once it has asked."""
    with serving(progress, card or {}) as url:
        command = [str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}"]
        command += ["--virtual-time-budget=1200", "--dump-dom", url]
        page = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
    return " ".join(Texts(page).words)


@pytest.mark.skipif(BROWSER is None, reason="needs Chromium: apt-get install chromium")
def test_the_page_says_which_bundle_serves_and_what_is_made(tmp_path: Path) -> None:
    running = Progress(state=State.RUNNING, steps=STEPS, step="full", doing="training the ranker", share=0.5)
    words = shown(running.model_copy(update={"seconds_left": 131.0}), tmp_path)
    assert "From counts .338 NDCG@20 Ready after 28 s" in words
    assert "Trained on few weeks serves now .361 NDCG@20 +.023 Ready after 1 min 56 s" in words
    assert "Trained on everything Training the ranker" in words and "next in about 2 minutes" in words
    assert "Milk" in words

    failed = shown(Progress(state=State.FAILED, steps=STEPS, failure="the disk is full"), tmp_path)
    assert "The training has failed, and what is there goes on serving the disk is full" in failed

    refused = FULL.model_copy(update={"bundle_version": "v3", "seconds": 400.0, "ndcg": 0.31, "note": "it loses"})
    done = shown(Progress(state=State.DONE, steps=[FIRST, SMALL, refused]), tmp_path)
    assert "Trained on everything .310 NDCG@20 -.051 It loses" in done and "next in" not in done

    again = FULL.model_copy(update={"bundle_version": "v3", "seconds": 36.2, "ndcg": 0.37, "resumed": True})
    resealed = shown(Progress(state=State.DONE, steps=[FIRST, SMALL, again]), tmp_path)
    assert "Ready; what was left to compute took 36 s" in resealed

    assert "From counts" not in shown(Progress(), tmp_path)


@pytest.mark.skipif(BROWSER is None, reason="needs Chromium: apt-get install chromium")
def test_the_page_has_the_words_and_the_figures_of_the_shop(tmp_path: Path) -> None:
    lists = {"final_list": 0.36, "gp_top_freq": 0.31, "recent_popularity": 0.33, "two_tower": 0.5}
    metrics = {
        part: {name: {"ndcg@20": value} for name, value in lists.items()} for part in ("all_items", "new_to_user")
    }
    words = shown(Progress(), tmp_path, {"target": "like", "currency": "EUR", "shelf": "category", "metrics": metrics})
    assert "Last likes" in words and "Only what the user has not liked" in words and "No likes on record" in words
    assert "Category" in words and "Department" not in words and "\u20ac1.50" in words and "Price from (EUR)" in words
    assert "NDCG@20 0.360 (what sells now 0.330)" in words and "0.500" not in words
    assert "likes again" in words and "buy" not in words
    pounds = shown(Progress(), tmp_path, {"currency": "kr", "shelf": None})
    assert "kr 1.50" in pounds and "Last purchases" in pounds
