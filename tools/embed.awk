# Text files as one C string: awk -v name=NAME -f tools/embed.awk FILE... >out.c
BEGIN {
    print "/* written by tools/embed.awk */"
    print "extern const char " name "[];"
    print "const char " name "[] ="
}
{
    gsub(/\\/, "&&")
    gsub(/"/, "\\\"")
    print "    \"" $0 "\\n\""
}
END { print "    ;" }
