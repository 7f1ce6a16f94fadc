#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs every command of README.md and docs/*.md, and compares what the documents show with what comes out.

    test_documents.py [--long] [--update] KAN EXAMPLES SOURCE [DOCUMENT...]

KAN is the program, EXAMPLES the folder of the compiled docs/examples, SOURCE the root of the tree. Each document
has an empty folder, in which its blocks run in order:

    ```sh          run as one script
    ```console     lines "$ command", each with the output that follows it, standard error included;
                   a last line [exit status N] where that is not 0
    ```c NAME.c    the text of docs/examples/NAME.c

More words behind sh or console:

    skip    not run: installs something, or needs files that only the reader has
    long    run with --long only, which runs no other documents than those that have such blocks
    about   numbers may differ by a factor of 2, for trainings that rounding leads astray
    clock   the output turns on the clock: the exit status alone counts

In an output a line "..." stands for any lines, " ..." for the rest of a line, ".." for anything without a space.
Numbers with a point or an exponent may differ by 1 %, and at will below 1e-12, which is rounding; whole ones not at
all. Seconds ("0.12 s"), spreads ("+- 0.01"), the steps of a training that ended by itself ("21  no smaller loss") and the
width of a space and the breaks of a verdict are not compared. A picture docs/pictures/NAME.svg must be the NAME.svg that the commands of a
document leave, up to 6 pixels. A line "<!-- before: COMMAND -->" is run and not shown.

--update writes what came out into the documents and pictures, where that is not what they say."""

import math
import os
import re
import shutil
import subprocess
import sys
import tempfile

NUMBER = re.compile(r"(?<![\w.])[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?![\w])")
# Seconds, the steps of a training that ended by itself, and a spread over seeds.
UNCERTAIN = re.compile(r"[\d.]+(?= s\b)|(?<=\+- )[\d.e-]+|\d+(?= +(?:no smaller loss|converged|no more progress))")
FENCE = re.compile(r"^```(\w*) *(.*)$")


def near(expected, actual, factor):
    """Whether two texts of numbers mean the same; factor: 0, or by which they may differ."""
    if expected == actual:
        return True
    e, a = float(expected), float(actual)
    if 0 < max(abs(e), abs(a)) < 1e-12:
        return True
    whole = not re.search(r"[.eE]", expected + actual)
    if factor:
        return e * a > 0 and abs(math.log(e / a)) <= math.log(factor)
    return not whole and abs(e - a) <= 0.01 * max(abs(e), abs(a))


def same_word(expected, actual, factor):
    """One word of a line, where ".." stands for anything."""
    if ".." in expected:
        return re.fullmatch("\\S+".join(map(re.escape, expected.split(".."))), actual) is not None
    return same_line(expected, actual, factor)


def same_line(expected, actual, factor):
    """One line of an output against the line of a document."""
    expected, actual = (" ".join(UNCERTAIN.sub("0", text).split()) for text in (expected, actual))
    if expected == actual:
        return True
    if expected.endswith(" ..."):
        words = expected.split(" ")[:-1]
        expected, actual = " ".join(words), " ".join(actual.split(" ")[: len(words)])
    if ".." in expected:
        pairs = list(zip(expected.split(" "), actual.split(" ")))
        return expected.count(" ") == actual.count(" ") and all(same_word(e, a, factor) for e, a in pairs)
    if NUMBER.sub("#", expected) != NUMBER.sub("#", actual):
        return False
    return all(near(e, a, factor) for e, a in zip(NUMBER.findall(expected), NUMBER.findall(actual)))


def whole_verdicts(lines, factor):
    """A verdict of `kan compare` as one line: where it breaks turns on the widths of its numbers. With a factor its differences
    and probabilities are left out: between two errors that are nearly the same they may be anything."""

    def whole(found):
        verdict = found.group().replace("\n", " ")
        return re.sub(r" (by|=) (?:a factor of )?[\d.e-]+( %)?", r" \1 0", verdict) if factor else verdict

    return re.sub(r"At their best:.*(?:\n.+)*", whole, "\n".join(lines)).split("\n")


def same_output(expected, actual, factor):
    """Lines against lines, a line "..." standing for any number of them."""
    if not expected:
        return not actual
    if expected[0].strip() == "...":
        return any(same_output(expected[1:], actual[k:], factor) for k in range(len(actual) + 1))
    if not actual or not same_line(expected[0], actual[0], factor):
        return False
    return same_output(expected[1:], actual[1:], factor)


def same_picture(expected, actual):
    number = re.compile(r"-?\d+(?:\.\d+)?")
    if number.sub("#", expected) != number.sub("#", actual):
        return False
    return all(abs(float(e) - float(a)) <= 6 for e, a in zip(number.findall(expected), number.findall(actual)))


class Document:
    """A document as a list of parts: text, or a block (language, words, lines)."""

    def __init__(self, path):
        self.path, self.parts = path, []
        text, block = [], None
        with open(path, encoding="utf-8") as file:
            lines = file.read().split("\n")
        for number, line in enumerate(lines, 1):
            fence = FENCE.match(line)
            if block is None and fence:
                block = (fence.group(1), fence.group(2).split(), [], number)
                self.parts.append(("text", text))
                text = []
            elif block is not None and line == "```":
                self.parts.append(("block", block))
                block = None
            else:
                (text if block is None else block[2]).append(line)
        if block is not None:
            sys.exit(f"{path}:{block[3]}: this block does not end")
        self.parts.append(("text", text))

    def blocks(self):
        return [part for kind, part in self.parts if kind == "block"]

    def prose(self):
        return "\n".join(line for kind, part in self.parts if kind == "text" for line in part)

    def write(self):
        lines = []
        for kind, part in self.parts:
            lines += part if kind == "text" else [" ".join(["```" + part[0], *part[1]]), *part[2], "```"]
        with open(self.path, "w", encoding="utf-8") as file:
            file.write("\n".join(lines))


class Runner:
    def __init__(self, kan, examples, source, long, update):
        self.source, self.long, self.update = source, long, update
        self.kan, self.examples = os.path.abspath(kan), os.path.abspath(examples)
        self.failures, self.commands = [], 0
        self.environment = dict(os.environ, OPENBLAS_NUM_THREADS="1", LC_ALL="C")
        self.environment["PATH"] = ":".join([os.path.dirname(self.kan), self.examples, os.environ["PATH"]])

    def fail(self, document, line, what):
        self.failures.append(f"{os.path.relpath(document.path, self.source)}:{line}: {what}")

    def shell(self, command, folder):
        self.commands += 1
        run = subprocess.run(["sh", "-ec", command], cwd=folder, env=self.environment, stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return run.returncode, run.stdout.decode("utf-8", "replace")

    def console(self, document, block, folder):
        """The commands of one console block, each against its output."""
        _, words, lines, number = block
        result, k = [], 0
        while k < len(lines):
            if not lines[k].startswith("$ "):
                return self.fail(document, number + 1 + k, "neither a command nor the output of one")
            begin = k
            while lines[k].endswith("\\"):
                k += 1
            k += 1
            shown = lines[begin:k]
            command = "\n".join(shown)[2:]
            end = k
            while end < len(lines) and not lines[end].startswith("$ "):
                end += 1
            expected, k = lines[k:end], end
            blank = len(expected) - len("\n".join(expected).rstrip("\n").split("\n")) if expected else 0
            status, output = self.shell(command, folder)
            actual = output.rstrip("\n").split("\n") if output.strip() else []
            if status:
                actual.append(f"[exit status {status}]")
            wanted = "\n".join(expected).rstrip("\n").split("\n") if any(expected) else []
            if "clock" in words:
                same = wanted[-1:] == actual[-1:] if status else bool(wanted or not self.update)
            else:
                factor = 2 if "about" in words else 0
                same = same_output(whole_verdicts(wanted, factor), whole_verdicts(actual, factor), factor)
            if not same and not self.update:
                self.fail(document, number + 1 + begin, f"{command}\n--- the document\n" + "\n".join(wanted)
                          + "\n--- the program\n" + "\n".join(actual))
            result += shown + (expected if same else actual + [""] * blank)
        if self.update:
            lines[:] = result

    def run(self, document):
        words = [set(block[1]) for block in document.blocks()]
        if self.long and not any("long" in w for w in words):
            return
        with tempfile.TemporaryDirectory() as folder:
            os.makedirs(os.path.join(folder, "build/release"))
            os.symlink(self.kan, os.path.join(folder, "build/release/kan"))
            for kind, part in document.parts:
                if kind == "text":
                    self.before(document, part, folder)
                else:
                    self.block(document, part, folder)
            if not self.long:
                self.pictures(document, folder)
        if self.update:
            document.write()

    def before(self, document, lines, folder):
        for command in re.findall(r"^<!-- before: (.*) -->$", "\n".join(lines), re.M):
            status, output = self.shell(command, folder)
            if status:
                self.fail(document, 0, f"{command}\n{output}")

    def block(self, document, block, folder):
        language, words, lines, number = block
        if language == "c":
            return self.example(document, block)
        if language not in ("sh", "console") or "skip" in words or ("long" in words and not self.long):
            return None
        if language == "console":
            return self.console(document, block, folder)
        status, output = self.shell("\n".join(lines), folder)
        if status:
            self.fail(document, number, f"exit status {status}\n{output}")
        return None

    def example(self, document, block):
        _, words, lines, number = block
        path = os.path.join(self.source, "docs/examples", words[0] if words else "")
        if not os.path.isfile(path):
            return self.fail(document, number, "no file of docs/examples is named behind ```c")
        with open(path, encoding="utf-8") as file:
            text = file.read().rstrip("\n").split("\n")
        if self.update:
            lines[:] = text
        elif lines != text:
            self.fail(document, number, f"this is not docs/examples/{words[0]}")
        return None

    def pictures(self, document, folder):
        for name in sorted(set(re.findall(r"pictures/([\w-]+\.svg)", document.prose()))):
            made, kept = os.path.join(folder, name), os.path.join(self.source, "docs/pictures", name)
            if not os.path.exists(made):
                self.fail(document, 0, f"no command makes {name}")
                continue
            texts = []
            for path in filter(os.path.exists, (kept, made)):
                with open(path, encoding="utf-8") as file:
                    texts.append(file.read())
            if len(texts) < 2 or not same_picture(*texts):
                if self.update:
                    shutil.copy(made, kept)
                else:
                    self.fail(document, 0, f"docs/pictures/{name} is not the picture that its command draws")

    def words(self, document, commands, options):
        """What the prose says of commands, options and files is true of the program and of the tree."""
        prose = document.prose()
        for line in prose.split("\n"):
            if re.match(r"^(    |\t)\s*(\$ |kan |scripts/)", line):
                self.fail(document, 0, f"a command outside of a block, which nobody runs: {line.strip()}")
        for text in re.findall(r"`([^`\n]+)`", prose):
            command = re.match(r"kan ([a-z]+)\b", text)
            if command and command.group(1) not in commands:
                self.fail(document, 0, f"`{text}`: there is no such command")
            if text.startswith(("kan ", "--")):
                for option in re.findall(r"(?<![\w-])--[a-z][\w-]*", text):
                    if option not in options:
                        self.fail(document, 0, f"`{text}`: no command takes {option}")
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[\w-]*)?\)", prose):
            if "://" not in target and not os.path.exists(os.path.join(os.path.dirname(document.path), target)):
                self.fail(document, 0, f"a link to {target}, which is not there")


def main():
    arguments = [a for a in sys.argv[1:] if not a.startswith("--")]
    flags = set(sys.argv[1:]) - set(arguments)
    if len(arguments) < 3 or flags - {"--long", "--update"}:
        sys.exit(__doc__)
    kan, examples, source = arguments[:3]
    runner = Runner(kan, examples, source, "--long" in flags, "--update" in flags)
    folder = os.path.join(source, "docs")
    paths = [os.path.join(source, "README.md")]
    paths += [os.path.join(folder, name) for name in sorted(os.listdir(folder)) if name.endswith(".md")]
    documents = [Document(path) for path in arguments[3:] or paths]

    _, text = runner.shell("kan --help", source)
    commands = set(re.findall(r"^  kan ([a-z]+)", text, re.M))
    helps = [runner.shell(f"kan {command} --help", source)[1] for command in sorted(commands)]
    options = set(re.findall(r"--[a-z][\w-]*", " ".join(helps))) | {"--help", "--version"}
    for document in documents:
        if os.path.basename(document.path) == "guide.md":
            text = "\n".join(line for _, part in document.parts for line in (part if _ == "text" else part[2]))
            for option in sorted(options - set(re.findall(r"--[a-z][\w-]*", text))):
                runner.fail(document, 0, f"says nothing of {option}")
        runner.run(document)
        runner.words(document, commands, options)
    if not arguments[3:]:
        shown = {block[1][0] for d in documents for block in d.blocks() if block[0] == "c" and block[1]}
        for name in sorted(set(os.listdir(os.path.join(folder, "examples"))) - shown - {"CMakeLists.txt"}):
            runner.failures.append(f"docs/examples/{name}: no document shows it")
    print(f"{runner.commands} commands of {len(documents)} documents, {len(runner.failures)} failures")
    for failure in runner.failures:
        print(failure, "\n")
    sys.exit(1 if runner.failures or not runner.commands else 0)


if __name__ == "__main__":
    main()
