# Joins what the children of the simulation left behind into one estimate with its standard error.

BEGIN {
    children = ENVIRON["CHILDREN"] + 0
    for (child = 0; child < children; child++) {
        if ((getline < ("part-" child)) < 1) {
            print "nothing from child " child
            exit 1
        }
        paths += $1
        sum += $2
        squares += $3
    }
    mean = sum / paths
    variance = (squares - paths * mean * mean) / (paths - 1)
    printf "paths=%d price=%.10f standard_error=%.10f\n", paths, mean, sqrt(variance / paths)
}
