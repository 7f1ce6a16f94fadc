#!/usr/bin/env python3
"""Functions, structures and enumerations of a library as sorted lines of text, from the XML of abidw on stdin.

    struct kan_adam_options.rate double @0          @: offset in bits
    struct kan_adam_options 256 bits
    enum kan_status KAN_OK = 0
    function kan_status_string(enum kan_status) -> const char *

SPDX-License-Identifier: GPL-3.0-or-later
"""
import re
import sys
import xml.etree.ElementTree as ElementTree

root = ElementTree.parse(sys.stdin).getroot()
types = {}
names = {}  # anonymous structures and enumerations have the name of their typedef
for element in root.iter():
    if "id" in element.attrib:
        types[element.get("id")] = element
for element in root.iter("typedef-decl"):
    names.setdefault(element.get("type-id"), element.get("name"))


def spell(identity):
    element = types.get(identity)
    if element is None:
        return "?"
    if element.tag == "pointer-type-def":
        return spell(element.get("type-id")) + " *"
    if element.tag == "qualified-type-def":
        words = [word for word in ("const", "volatile", "restrict") if element.get(word) == "yes"]
        inner = spell(element.get("type-id"))
        return inner + " " + " ".join(words) if inner.endswith("*") else " ".join(words + [inner])
    if element.tag == "array-type-def":
        lengths = "".join("[%s]" % range_.get("length") for range_ in element.iter("subrange"))
        return spell(element.get("type-id")) + " " + lengths
    if element.tag == "typedef-decl":
        named = types.get(element.get("type-id"))
        if named is not None and named.tag in ("class-decl", "enum-decl", "union-decl"):
            return spell(element.get("type-id"))
        return element.get("name")
    if element.tag == "function-type":
        return "function(%s) -> %s" % signature(element)
    if element.tag in ("class-decl", "enum-decl", "union-decl"):
        return name_of(element)
    return element.get("name", "?")


def name_of(element):
    word = {"class-decl": "struct", "enum-decl": "enum", "union-decl": "union"}[element.tag]
    anonymous = element.get("is-anonymous") == "yes"
    return word + " " + (names.get(element.get("id"), "?") if anonymous else element.get("name"))


def signature(element):
    parameters = [spell(parameter.get("type-id")) for parameter in element.findall("parameter")]
    result = element.find("return")
    return ", ".join(parameters), spell(result.get("type-id")) if result is not None else "void"


lines = set()
for element in root.iter("function-decl"):
    if element.get("elf-symbol-id"):
        lines.add("function %s(%s) -> %s" % (element.get("name"), *signature(element)))
for element in root.iter("class-decl"):
    if "kan_" not in name_of(element) or not element.get("size-in-bits"):
        continue
    lines.add("%s %s bits" % (name_of(element), element.get("size-in-bits")))
    for member in element.findall("data-member"):
        variable = member.find("var-decl")
        lines.add("%s.%s %s @%s" % (name_of(element), variable.get("name"), spell(variable.get("type-id")),
                                    member.get("layout-offset-in-bits")))
for element in root.iter("enum-decl"):
    for value in element.findall("enumerator"):
        if re.match("KAN_(?!([A-Z]+_)?N_)", value.get("name")):  # counts may grow
            lines.add("%s %s = %s" % (name_of(element), value.get("name"), value.get("value")))
print("\n".join(sorted(lines)))
