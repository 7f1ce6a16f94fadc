# Makes the manual page of one command, in mdoc, of two things: what `kan COMMAND --help` says, which is the only
# place of options, notes and synopsis, and a file beside this one with what help does not say.
#
#     ARGP_HELP_FMT=rmargin=9999 kan COMMAND --help |
#         awk -v command=train -v date="May 1, 2025" -v version=0.1.0 -v docdir=/usr/share/doc/kan -f make_page.awk - train.mdoc
#
# The mdoc file begins with text for DESCRIPTION and may go on with .Sh sections; those up to FILES stand before
# EXIT STATUS, the others behind it. Without a command the help is that of `kan` itself.
#
# SPDX-License-Identifier: GPL-3.0-or-later

# Prints lines, those of text wrapped; examples stand between .Bd and .Ed.
function say(text,    lines, n, i, line, at) {
    n = split(text, lines, "\n")
    for (i = 1; i <= n; ++i) {
        line = lines[i]
        if (line ~ /^[.]Bd/) literal = 1
        if (line ~ /^[.]Ed/) literal = 0
        while (!literal && line !~ /^[.]/ && length(line) > 79) {
            for (at = 79; at > 1 && (substr(line, at, 1) != " " || substr(line, at + 1, 1) ~ /[.]|\047/); --at);
            if (at == 1) break
            print substr(line, 1, at - 1)
            line = substr(line, at + 1)
        }
        if (line != "" || i < n) print line
    }
}

# Text as roff takes it: dashes of options are dashes, sentences begin lines.
function plain(text) {
    gsub(/\\/, "\\e", text)
    gsub(/`/, "\\(oq", text)
    gsub(/'/, "\\(cq", text)
    gsub(/-/, "\\-", text)
    gsub(/[.] +/, ".\n", text)
    gsub(/~/, "\\(ti", text)
    gsub(/\^/, "\\(ha", text)
    gsub(/[a-z]+_[a-z]/, "\\%&", text) # no hyphenation of what is to be typed
    if (text ~ /^[.]/) text = "\\&" text
    return text
}

# Words of a usage line behind the name: [X] is optional, capitals are arguments.
function arguments(text,    words, n, i, word, line, dots) {
    n = split(text, words, " ")
    for (i = 1; i <= n; ++i) {
        word = words[i]
        dots = sub(/[.][.][.]\]?$/, word ~ /\]$/ ? "]" : "", word) ? " ..." : ""
        if (word == "|") {
            synopsis()
            continue
        }
        if (word ~ /^\[/) say(".Op Ar " tolower(substr(word, 2, length(word) - 2)) dots)
        else say(".Ar " word dots)
    }
}

function synopsis() {
    say(".Nm kan" (command == "" ? "" : " " command))
    if (command != "") say(".Op Ar option ...")
}

# "  -o, --output=FILE          Write .." as an item of the list of options
function option(line,    names, doc, n, parts, i, item, equals) {
    sub(/^ +/, "", line)
    match(line, /  +/)
    names = RSTART ? substr(line, 1, RSTART - 1) : line
    doc = RSTART ? substr(line, RSTART + RLENGTH) : ""
    n = split(names, parts, /, +/)
    # an argument may have commas: LO,HI has no blank behind its own
    item = ""
    for (i = 1; i <= n; ++i) {
        equals = index(parts[i], "=")
        item = item (i > 1 ? " , " : "")
        if (parts[i] ~ /^--/)
            item = item "Fl Fl " substr(parts[i], 3, (equals ? equals : length(parts[i]) + 1) - 3)
        else item = item "Fl " (parts[i] == "-?" ? "\\&?" : substr(parts[i], 2))
        if (equals) item = item " Ns = Ns Ar " substr(parts[i], equals + 1)
    }
    gsub(/-/, "\\-", item)
    say(".It " item)
    if (doc != "") say(plain(doc) (doc ~ /[])0-9.]$/ ? "" : "."))
}

FNR == NR { help[++n_help] = $0; next }
/^[.]\\"/ { next } # comments of the source
/^[.]Sh / { section = $2 }
section == "" { description = description $0 "\n"; next }
section == "EXAMPLES" || section == "SEE" { late = late $0 "\n"; next }
{ early = early $0 "\n" }

END {
    page = "kan" (command == "" ? "" : "-" command)
    say(".\\\" Made from kan --help and docs/man; changes belong there.")
    say(".\\\" SPDX-License-Identifier: GPL-3.0-or-later")
    say(".Dd " date)
    say(".Dt " toupper(page) " 1")
    say(".Os kan " version)
    say(".Sh NAME")
    say(".Nm " page)
    summary = help[2]
    sub(/[.]$/, "", summary)
    if (command != "") summary = tolower(substr(summary, 1, 1)) substr(summary, 2)
    say(".Nd " plain(summary))
    say(".Sh SYNOPSIS")
    synopsis()
    usage = help[1]
    if (command == "") {
        say(".Ar COMMAND")
        say(".Op Ar option ...")
    } else {
        sub(/^Usage: kan [a-z]+ \[OPTION\.\.\.\] */, "", usage)
        arguments(usage)
    }
    say(".Sh DESCRIPTION")
    i = 3
    while (i <= n_help && help[i] !~ /^ /) ++i
    first = i
    while (i <= n_help && help[i] ~ /^ *-|^ +kan|^$/) ++i
    for (; i <= n_help; ++i)
        if (help[i] != "" && help[i] !~ /^Mandatory or optional arguments/) say(plain(help[i]))
    say(description)
    say(command == "" ? ".Sh COMMANDS" : ".Sh OPTIONS")
    say(".Bl -tag -width indent")
    for (i = first; i <= n_help; ++i) {
        if (command == "" && help[i] ~ /^  kan [a-z]/) {
            match(help[i], /^  kan [a-z]+ +/)
            name = substr(help[i], 7, RLENGTH - 6)
            sub(/ +$/, "", name)
            say(".It Xr kan-" name " 1")
            say(plain(substr(help[i], RLENGTH + 1)) ".")
            for (o = ++n_others; o > 1 && others[o - 1] > name; --o) others[o] = others[o - 1]
            others[o] = name
        } else if (command != "" && help[i] ~ /^ +-/) option(help[i])
    }
    say(".El")
    say(early)
    say(".Sh EXIT STATUS")
    say(".Bl -tag -width indent")
    say(".It 0\nDone.")
    say(".It 1\nA file, its contents, memory or a training failed; one line on standard error says what.")
    say(".It 64\nThe command line makes no sense.")
    say(".It 130\nEnded by Ctrl\\-C or")
    say(".Dv SIGTERM .")
    say(".El")
    say(late)
    if (section != "SEE") {
        say(".Sh SEE ALSO")
        if (command != "") say(".Xr kan 1")
        for (o = 1; o <= n_others; ++o) say(".Xr kan-" others[o] " 1 ,")
        if (command == "") say(".Xr kan 3")
    }
}
