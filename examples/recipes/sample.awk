# Prints the record lines of one key in a hundred, each byte as it was. A number is made of the key alone, so whoever samples
# chooses the same keys. Wants LC_ALL=C, so that characters are bytes.
BEGIN {
    for (code = 1; code < 256; code++) number[sprintf("%c", code)] = code
}
{
    # The members of a record line always have the same order: the key stands before the value.
    key = substr($0, index($0, ",\"key"))
    key = substr(key, 1, index(key, ",\"value") - 1)
    hash = 5381
    for (i = 1; i <= length(key); i++) hash = (hash * 33 + number[substr(key, i, 1)]) % 4294967296
    if (hash % 100 == 0) print
}
