"""Which locks a statement takes, and whether it reads or rewrites a table, from its parse tree.

The rules are those of PostgreSQL's manual, chapters "Explicit Locking" and "ALTER TABLE". What code
in a DO block or a function does is not seen; `schema apply --dry-run` shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import IntEnum, StrEnum
from importlib import import_module
from typing import Any

import msgspec

from observatory_store.errors import InvalidInputError


class Lock(IntEnum):
    """A lock of a table, from the weakest to the strongest."""

    ACCESS_SHARE = 1
    ROW_SHARE = 2
    ROW_EXCLUSIVE = 3
    SHARE_UPDATE_EXCLUSIVE = 4
    SHARE = 5
    SHARE_ROW_EXCLUSIVE = 6
    EXCLUSIVE = 7
    ACCESS_EXCLUSIVE = 8

    def __str__(self) -> str:
        return self.name.replace("_", " ")


class Work(StrEnum):
    """What happens to the rows while the lock is held."""

    NONE = "none"
    ROWS = "rows"
    """Some rows are read or written."""
    SCAN = "scan"
    """All rows are read."""
    REWRITE = "rewrite"
    """All rows are written."""
    DROP = "drop"
    """All that it holds is lost."""


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """What a statement does to one relation."""

    relation: str
    lock: Lock
    work: Work = Work.NONE
    by_chunk: bool = False
    """Whether it locks one chunk after the other, and not all of the relation until its end."""


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What a statement is seen to do."""

    effects: list[Effect] = msgspec.field(default_factory=list)
    creates: str | None = None
    """The relation that it creates, if that is not there."""
    is_code: bool = False
    """Whether it calls code, whose effects are not seen."""


def read_statement(statement: str) -> Reading:
    """Return what the statement does.

    Raises:
        InvalidInputError: the parser is not installed, or the statement is no SQL.

    """
    try:
        parser: Any = import_module("postgast")
    except ImportError as error:
        raise InvalidInputError(
            "this needs a parser of SQL: pip install 'observatory-store[plan]'"
        ) from error
    try:
        parsed = parser.parse(statement)
    except parser.PgQueryError as error:
        raise InvalidInputError(f"{statement[:60]!r} is no SQL: {error}") from error
    effects: list[Effect] = []
    creates, is_code = None, False
    for raw in parsed.stmts:
        kind = raw.stmt.WhichOneof("node")
        node = getattr(raw.stmt, kind)
        effects += _RULES.get(kind, _nothing)(node)
        if kind in {"create_stmt", "view_stmt"}:
            creates = _name(node.relation if kind == "create_stmt" else node.view)
        is_code |= kind in {"do_stmt", "call_stmt"} or (
            kind == "select_stmt"
            and any(target.res_target.val.HasField("func_call") for target in node.target_list)
        )
    return Reading(effects=effects, creates=creates, is_code=is_code)


def _nothing(_node: Any) -> Iterator[Effect]:  # noqa: ANN401 - a message of the parser
    return iter(())


def _table(lock: Lock, work: Work, field: str = "relation") -> Callable[[Any], Iterator[Effect]]:
    def read(node: Any) -> Iterator[Effect]:  # noqa: ANN401
        yield Effect(relation=_name(getattr(node, field)), lock=lock, work=work)

    return read


def _index(node: Any) -> Iterator[Effect]:  # noqa: ANN401
    lock = Lock.SHARE_UPDATE_EXCLUSIVE if node.concurrent else Lock.SHARE
    by_chunk = any(option.def_elem.defname == "transaction_per_chunk" for option in node.options)
    yield Effect(relation=_name(node.relation), lock=lock, work=Work.SCAN, by_chunk=by_chunk)


def _create(node: Any) -> Iterator[Effect]:  # noqa: ANN401
    for element in node.table_elts:
        constraints = [element.constraint, *(c.constraint for c in element.column_def.constraints)]
        for constraint in constraints:
            if constraint.pktable.relname:
                yield Effect(relation=_name(constraint.pktable), lock=Lock.SHARE_ROW_EXCLUSIVE)


def _changed_rows(node: Any) -> Iterator[Effect]:  # noqa: ANN401
    work = Work.ROWS if node.HasField("where_clause") else Work.REWRITE
    yield Effect(relation=_name(node.relation), lock=Lock.ROW_EXCLUSIVE, work=work)


def _drop(node: Any) -> Iterator[Effect]:  # noqa: ANN401
    if _enum(node, "remove_type") not in _DROPPED:
        return
    data = _enum(node, "remove_type") in {"OBJECT_TABLE", "OBJECT_MATVIEW"}
    for item in node.objects:
        yield Effect(
            relation=".".join(part.string.sval for part in item.list.items),
            lock=Lock.ACCESS_EXCLUSIVE,
            work=Work.DROP if data else Work.NONE,
        )


def _comment(node: Any) -> Iterator[Effect]:  # noqa: ANN401
    kind = _enum(node, "objtype")
    if kind in {"OBJECT_TABLE", "OBJECT_VIEW", "OBJECT_COLUMN"}:
        parts = [part.string.sval for part in node.object.list.items]
        relation = ".".join(parts[:-1] if kind == "OBJECT_COLUMN" else parts)
        yield Effect(relation=relation, lock=Lock.SHARE_UPDATE_EXCLUSIVE)


def _truncate(node: Any) -> Iterator[Effect]:  # noqa: ANN401
    for relation in node.relations:
        name = _name(relation.range_var)
        yield Effect(relation=name, lock=Lock.ACCESS_EXCLUSIVE, work=Work.DROP)


def _alter(node: Any) -> Iterator[Effect]:  # noqa: ANN401
    relation = _name(node.relation)
    for item in node.cmds:
        command = item.alter_table_cmd
        kind = _enum(command, "subtype")
        if kind == "AT_AddColumn":
            yield Effect(
                relation=relation,
                lock=Lock.ACCESS_EXCLUSIVE,
                work=_of_column(getattr(command, "def")),
            )
        elif kind == "AT_AddConstraint":
            yield from _of_constraint(relation, getattr(command, "def").constraint)
        else:
            lock, work = _ALTERED.get(kind, (Lock.ACCESS_EXCLUSIVE, Work.NONE))
            yield Effect(relation=relation, lock=lock, work=work)


def _of_column(node: Any) -> Work:  # noqa: ANN401
    column = node.column_def
    work = Work.REWRITE if column.type_name.names[-1].string.sval in _SERIAL else Work.NONE
    for item in column.constraints:
        kind = _enum(item.constraint, "contype")
        if kind in {"CONSTR_IDENTITY", "CONSTR_GENERATED"} or (
            kind == "CONSTR_DEFAULT" and _is_volatile(item.constraint.raw_expr)
        ):
            return Work.REWRITE
        if kind in {"CONSTR_CHECK", "CONSTR_FOREIGN", "CONSTR_UNIQUE", "CONSTR_PRIMARY"}:
            work = max(work, Work.SCAN, key=list(Work).index)
    return work


def _is_volatile(expression: Any) -> bool:  # noqa: ANN401
    if expression.HasField("type_cast"):
        return _is_volatile(expression.type_cast.arg)
    if expression.HasField("func_call"):
        return expression.func_call.funcname[-1].string.sval not in _STABLE
    return expression.WhichOneof("node") not in {"a_const", "sqlvalue_function", "a_array_expr"}


def _of_constraint(relation: str, constraint: Any) -> Iterator[Effect]:  # noqa: ANN401
    kind = _enum(constraint, "contype")
    work = Work.NONE if constraint.skip_validation or constraint.indexname else Work.SCAN
    foreign = kind == "CONSTR_FOREIGN"
    lock = Lock.SHARE_ROW_EXCLUSIVE if foreign else Lock.ACCESS_EXCLUSIVE
    yield Effect(relation=relation, lock=lock, work=work)
    if foreign:
        yield Effect(relation=_name(constraint.pktable), lock=lock)


def _name(relation: Any) -> str:  # noqa: ANN401
    schema = relation.schemaname
    return f"{schema}.{relation.relname}" if schema else str(relation.relname)


def _enum(node: Any, field: str) -> str:  # noqa: ANN401
    values = node.DESCRIPTOR.fields_by_name[field].enum_type.values_by_number
    return str(values[getattr(node, field)].name)


_SERIAL = {"serial", "bigserial", "smallserial", "serial4", "serial8", "serial2"}
_STABLE = {"now", "current_setting", "transaction_timestamp", "statement_timestamp"}
_DROPPED = {"OBJECT_TABLE", "OBJECT_VIEW", "OBJECT_MATVIEW", "OBJECT_INDEX"}

_ALTERED = {
    "AT_AlterColumnType": (Lock.ACCESS_EXCLUSIVE, Work.REWRITE),
    "AT_SetNotNull": (Lock.ACCESS_EXCLUSIVE, Work.SCAN),
    "AT_SetExpression": (Lock.ACCESS_EXCLUSIVE, Work.REWRITE),
    "AT_SetAccessMethod": (Lock.ACCESS_EXCLUSIVE, Work.REWRITE),
    "AT_SetTableSpace": (Lock.ACCESS_EXCLUSIVE, Work.REWRITE),
    "AT_SetLogged": (Lock.ACCESS_EXCLUSIVE, Work.REWRITE),
    "AT_SetUnLogged": (Lock.ACCESS_EXCLUSIVE, Work.REWRITE),
    "AT_DropColumn": (Lock.ACCESS_EXCLUSIVE, Work.DROP),
    "AT_ValidateConstraint": (Lock.SHARE_UPDATE_EXCLUSIVE, Work.SCAN),
    "AT_AttachPartition": (Lock.SHARE_UPDATE_EXCLUSIVE, Work.SCAN),
    "AT_SetStatistics": (Lock.SHARE_UPDATE_EXCLUSIVE, Work.NONE),
    "AT_SetOptions": (Lock.SHARE_UPDATE_EXCLUSIVE, Work.NONE),
    "AT_ClusterOn": (Lock.SHARE_UPDATE_EXCLUSIVE, Work.NONE),
    "AT_EnableTrig": (Lock.SHARE_ROW_EXCLUSIVE, Work.NONE),
    "AT_DisableTrig": (Lock.SHARE_ROW_EXCLUSIVE, Work.NONE),
}

_RULES: dict[str, Callable[[Any], Iterator[Effect]]] = {
    "alter_table_stmt": _alter,
    "index_stmt": _index,
    "create_stmt": _create,
    "create_trig_stmt": _table(Lock.SHARE_ROW_EXCLUSIVE, Work.NONE),
    "drop_stmt": _drop,
    "comment_stmt": _comment,
    "rename_stmt": _table(Lock.ACCESS_EXCLUSIVE, Work.NONE),
    "truncate_stmt": _truncate,
    "view_stmt": _table(Lock.ACCESS_EXCLUSIVE, Work.NONE, "view"),
    "refresh_mat_view_stmt": _table(Lock.ACCESS_EXCLUSIVE, Work.REWRITE),
    "cluster_stmt": _table(Lock.ACCESS_EXCLUSIVE, Work.REWRITE),
    "reindex_stmt": _table(Lock.SHARE, Work.SCAN),
    "insert_stmt": _table(Lock.ROW_EXCLUSIVE, Work.ROWS),
    "update_stmt": _changed_rows,
    "delete_stmt": _changed_rows,
}
