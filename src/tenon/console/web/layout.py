"""The frame of every page: where one is, how the session is, what is wrong, and the button that stops it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from nicegui import ui

from tenon.console.alerts import Alert, Level, alerts, can_clear
from tenon.console.model import ConsoleView
from tenon.console.web.context import Context, Refresh, ask
from tenon.control.phase import SessionPhase

PAGES = {
    "/": "Session",
    "/record": "Record",
    "/label": "Label",
    "/datasets": "Datasets",
    "/checkpoints": "Checkpoints",
}
THEME_KEY = "tenon-dark"
_RESTORE_THEME = f"""
<script type="module">
  const stored = localStorage.getItem("{THEME_KEY}");
  const restore = () => window.Quasar ? Quasar.Dark.set(stored === "true") : setTimeout(restore, 20);
  if (stored !== null) restore();
</script>"""
_TOGGLE_THEME = f"""() => {{
  Quasar.Dark.toggle();
  localStorage.setItem("{THEME_KEY}", Quasar.Dark.isActive);
}}"""


@contextmanager
def page(context: Context, path: str) -> Iterator[list[Refresh]]:
    """Builds the frame around a page's content; what is put into the list is called with every new view."""
    ui.add_head_html('<link rel="stylesheet" href="/static/console.css">')
    ui.add_head_html(f'<script type="module" src="/static/console.js"></script>{_RESTORE_THEME}')
    ui.colors(primary="#2456c8", positive="#14804a", negative="#c4221b", warning="#a15c00")
    ui.page_title(f"{PAGES[path]} · Tenon")
    refreshes: list[Refresh] = [_header(path), _alerts(context)]
    ui.element("tenon-stop")  # not in the header, which dialogs cover
    yield refreshes

    def refresh() -> None:
        view = context.model.view()
        for one in refreshes:
            one(view)

    refresh()
    ui.timer(context.config.refresh_s, refresh)


def _header(path: str) -> Refresh:
    with ui.header(elevated=False).classes("t-header"):
        ui.label("Tenon").classes("t-brand")
        with ui.element("nav").classes("t-nav"):
            for target, name in PAGES.items():
                ui.link(name, target).classes("here" if target == path else "")
        phase = ui.label().classes("t-phase")
        theme = ui.button(icon="contrast").props('flat round dense color=grey aria-label="light or dark"')
        theme.on("click", js_handler=_TOGGLE_THEME)

    def refresh(view: ConsoleView) -> None:
        name = view.progress.phase.name.lower() if view.is_connected else "no session"
        phase.set_text(name)
        phase.props(f'data-phase="{name}"')

    return refresh


def _alerts(context: Context) -> Refresh:
    shown: dict[Alert, _ShownAlert] = {}
    place = ui.element("div").classes("t-alerts")

    def refresh(view: ConsoleView) -> None:
        """Makes anew only what has changed: a button that is exchanged under the pointer is not pressed."""
        now = list(dict.fromkeys(alerts(view)))
        for alert in shown.keys() - now:
            shown.pop(alert).element.delete()
        for index, alert in enumerate(now):
            if alert not in shown:
                with place:
                    shown[alert] = _ShownAlert(context, alert)
                shown[alert].element.move(target_index=index)
            shown[alert].refresh(view)

    return refresh


class _ShownAlert:
    """One alert on a page; a fault has buttons."""

    def __init__(self, context: Context, alert: Alert) -> None:
        operator = context.operator
        is_fault = alert.level is Level.FAULT
        self._clear: ui.button | None = None
        self.element = ui.element("div").classes("t-alert").props(f'data-level="{alert.level.value}" role="alert"')
        with self.element:
            ui.label(alert.subject.replace("_", " ") if is_fault else alert.subject).classes("subject")
            with ui.element("div").classes("text"):
                ui.label(alert.seen)
                if alert.remedy:
                    ui.label(alert.remedy).classes("remedy")
            if is_fault:
                self._clear = ui.button("Clear fault", on_click=lambda: ask(operator.clear_fault, what="fault"))
                self._clear.props("unelevated color=negative")
                resume = ui.button("Resume", on_click=lambda: ask(operator.resume, what="session"))
                resume.props("outline color=negative")

    def refresh(self, view: ConsoleView) -> None:
        if self._clear is not None:
            self._clear.set_visibility(can_clear(view))


def can_start(view: ConsoleView) -> bool:
    return view.is_connected and view.progress.phase in (SessionPhase.IDLE, SessionPhase.FINISHED)


def can_pause(view: ConsoleView) -> bool:
    return view.is_connected and view.progress.phase in (SessionPhase.RESETTING, SessionPhase.RUNNING)


def can_resume(view: ConsoleView) -> bool:
    return view.is_connected and view.progress.phase in (SessionPhase.PAUSED, SessionPhase.FAULT)
