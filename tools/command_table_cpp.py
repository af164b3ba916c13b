"""The commands of tools/command_table.py as C++: the rows of engine/command_table.h and of engine/command_docs.h."""

HEADING = '// Written by tools/command_table.py from data/commands.\n'


def literal(text):
    return '"' + text.replace('\\', '\\\\').replace('"', '\\"') + '"'


def constant(space, word):
    """command_flag::kNoAuth for no_auth."""
    return f'{space}::k' + ''.join(part[:1].upper() + part[1:] for part in word.split('_'))


def mask(space, words):
    return ' | '.join(constant(space, word) for word in words) or '0'


class Arrays:
    """Constant arrays, each text of elements once."""

    def __init__(self, prefix):
        self.prefix, self.names, self.lines = prefix, {}, []

    def add(self, kind, elements):
        """The name of an array of these elements; `{}` for none."""
        if not elements:
            return '{}'
        body = ', '.join(elements)
        key = kind, body
        if key not in self.names:
            self.names[key] = f'k{self.prefix}{len(self.names)}'
            self.lines.append(f'constexpr {kind} {self.names[key]}[] = {{{body}}};\n')
        return self.names[key]


def key_spec(spec):
    begin, find = f'KeySpec::Begin::{spec.begin}', f'KeySpec::Find::{spec.find}'
    return (f'{{{mask("key_flag", spec.flags)}, {begin}, {find}, {spec.at}, {literal(spec.keyword or "")}, '
            f'{spec.last}, {spec.step}, {spec.limit}}}')


def info_row(command, number, arrays, subcommands):
    keys = arrays.add('KeySpec', [key_spec(s) for s in command.keys])
    tips = arrays.add('Bytes', [literal(t) for t in command.tips])
    flags = command.flags + (['movablekeys'] if command.movable else [])
    return (f'{{{literal(command.name)}, {literal(command.full_name)}, {command.arity}, {number}, '
            f'{mask("command_flag", flags)}, {mask("acl_category", sorted(command.categories))}, '
            f'{command.first}, {command.last}, {command.step}, {keys}, {tips}, {subcommands}}}')


def numbered(commands):
    """Each command followed by its subcommands, with the number that finds its documentation."""
    number = 0
    for command in commands:
        yield command, number
        number += 1
        for sub in command.subcommands:
            yield sub, number
            number += 1


def info_table(commands):
    arrays, rows = Arrays('Array'), []
    numbers = {command.full_name: number for command, number in numbered(commands)}
    for command in commands:
        subs = [info_row(s, numbers[s.full_name], arrays, '{}') for s in command.subcommands]
        name = arrays.add('CommandInfo', subs)
        rows.append(info_row(command, numbers[command.full_name], arrays, name))
    return (HEADING + '#include "engine/command_table.h"\n\nnamespace vitrine {\n\nnamespace {\n\n'
            + ''.join(arrays.lines) + 'constexpr CommandInfo kRows[] = {\n' + ',\n'.join(rows) + '};\n\n'
            '}  // namespace\n\n'
            'std::span<const CommandInfo> command_infos() { return kRows; }\n\n}  // namespace vitrine\n')


def argument(node, arrays):
    children = arrays.add('ArgumentDocs', [argument(a, arrays) for a in node.arguments])
    flags = [f for f in ('optional', 'multiple', 'multiple_token') if getattr(node, f)]
    kind = 'ArgumentDocs::Kind::' + {'double': 'real', 'oneof': 'one_of'}.get(node.type, node.type.replace('-', '_'))
    return (f'{{{literal(node.name)}, {kind}, {mask("argument_flag", flags)}, '
            f'{-1 if node.key_spec is None else node.key_spec}, {"true" if node.token is not None else "false"}, '
            f'{literal(node.token or "")}, {literal(node.since or "")}, {children}}}')


def docs_row(command, arrays):
    history = arrays.add('HistoryNote', [f'{{{literal(v)}, {literal(t)}}}' for v, t in command.history])
    arguments = arrays.add('ArgumentDocs', [argument(a, arrays) for a in command.arguments])
    texts = ', '.join(map(literal, (command.summary, command.complexity, command.since, command.group,
                                    command.deprecated, command.replaced_by, command.usage)))
    return f'{{{texts}, {"true" if command.syscmd else "false"}, {history}, {arguments}}}'


def docs_table(commands):
    arrays = Arrays('Docs')
    rows = [docs_row(command, arrays) for command, _ in numbered(commands)]
    return (HEADING + '#include "engine/command_docs.h"\n\n#include "engine/command_table.h"\n\nnamespace vitrine {\n\n'
            'namespace {\n\n' + ''.join(arrays.lines) + 'constexpr CommandDocs kRows[] = {\n' + ',\n'.join(rows)
            + '};\n\n}  // namespace\n\n'
            'const CommandDocs& command_docs(const CommandInfo& info) { return kRows[info.number]; }\n\n'
            '}  // namespace vitrine\n')


def tables(commands):
    """The text of each file to write."""
    return {'command_rows.cc': info_table(commands), 'command_docs_rows.cc': docs_table(commands)}
