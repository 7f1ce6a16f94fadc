# Makes of the comments in our headers those of Doxygen: the first one is of the file, one that begins a line is of
# what follows, one behind code is of what stands before it. Declarations without a blank line between share the comment
# above them, and names of one declaration share the one behind it, so Doxygen gets it once for each.
#
# SPDX-License-Identifier: GPL-3.0-or-later

# What Doxygen would take for a command, a link or a list of its own.
function text(s) {
    gsub(/\\/, "\\\\", s)
    gsub(/@/, "\\@", s)
    gsub(/#/, "\\#", s)
    gsub(/</, "\\<", s)
    gsub(/%/, "\\%", s)
    gsub(/ [.][.]+/, " \\&hellip;", s)
    return s
}

# A line of a comment that began above. What is indented further is a formula or a table and keeps its lines.
function line_of_comment(s,    closing) {
    closing = sub(/ *\*\/ *$/, "", s) ? " */" : ""
    if (s ~ /^ *\*   +[^ ]/) {
        s = (verbatim ? "" : " * @verbatim\n") s
        verbatim = 1
    } else {
        s = (verbatim ? " * @endverbatim\n" : "") text(s)
        verbatim = 0
    }
    if (closing != "" && verbatim) {
        verbatim = 0
        closing = "\n * @endverbatim */"
    }
    return s closing
}

# code, and the comment behind it, "" where there is none: "double a, b;" as "double a;" and "double b;"
# A member without a comment is one that its name explains: the comment is a blank then, or Doxygen would complain.
function declare(code, comment,    n, names, i, type) {
    if (comment == "" && !fresh && code ~ /^    [a-z_].*;[ ]*$/) comment = " /**< &nbsp; */"
    if (code !~ /^ +[a-z_A-Z0-9 ]+[ *][a-z_A-Z0-9]+(\[[^]]*\])?(, *\**[a-z_A-Z0-9]+(\[[^]]*\])?)+; *$/) {
        print code comment
        return
    }
    sub(/; *$/, "", code)
    n = split(code, names, /, */)
    type = names[1]
    sub(/\**[a-z_A-Z0-9]+(\[[^]]*\])?$/, "", type)
    names[1] = substr(names[1], length(type) + 1)
    for (i = 1; i <= n; ++i) {
        print type names[i] ";" comment
    }
}

# A declaration of members that goes on in the next line.
half != "" {
    sub(/^ +/, "")
    $0 = half " " $0
    half = ""
}
/^    [a-z].*,$/ && !/\(/ && !/\*/ {
    half = $0
    next
}

# Comments of several lines behind code are needed whole before it can be split.
behind != "" {
    behind = behind "\n" text($0)
    if ($0 ~ /\*\/ *$/) {
        declare(code, behind)
        behind = ""
    }
    next
}

above {
    line = line_of_comment($0)
    shared = shared line "\n"
    print line
    if ($0 ~ /\*\//) above = 0
    next
}

/^#pragma/ || /^ *\/\* -+ .* -+ \*\/$/ || /^ *$/ {
    shared = ""
    fresh = 0
    print ""
    next
}

/^ *\/\*/ {
    line = $0
    sub(/\/\*/, "", line)
    shared = substr($0, 1, index($0, "/*") - 1) "/**" (seen++ ? "" : " @file\n") text(line) "\n"
    printf "%s", shared
    above = $0 !~ /\*\//
    fresh = 1
    next
}

# A declaration that is not the first one below the comment.
ended && !fresh && shared != "" && /^ *[a-z]/ && !/^ *[a-z_A-Z0-9 *]+ *\/\*/ { if ($0 !~ /\/\*/) printf "%s", shared }

{ fresh = 0; ended = /[;,] *(\/\*.*)?$/ && !/^ .*[^;] *$/ }

/[;,{a-zA-Z0-9\]] *\/\*/ {
    at = index($0, "/*")
    code = substr($0, 1, at - 1)
    behind = "/**<" text(substr($0, at + 2))
    if ($0 ~ /\*\//) {
        declare(code, behind)
        behind = ""
    }
    next
}
{ declare($0, "") }
