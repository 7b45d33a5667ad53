// Nothing but the pages in Web/: a C target, because the code that SwiftPM adds to a Swift target
// with resources imports Foundation, which nothing else here needs.
#include "Pages.h"
