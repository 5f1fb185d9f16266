/*
 * Any bytes as JSON to be packed by columns, and as columns to be unpacked.
 *
 * Checked: what can be packed comes back byte for byte; unpacking anything stays within its cap.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "wire/columns.h"

#define TEXT_MAX ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds, const char *what)
{
    if (holds) return;
    fprintf(stderr, "does not hold: %s\n", what);
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sg_slice in = sg_slice_of((const char *)data, size);
    sg_buf packed, back;
    sg_buf_init(&packed, 2 * size + SG_COLUMNS_MAX);
    sg_buf_init(&back, TEXT_MAX);
    if (sg_columns_pack(in, &packed)) {
        require(sg_columns_unpack(sg_buf_view(&packed), &back) == SG_OK, "packed is unpacked");
        require(sg_slice_eq(sg_buf_view(&back), in), "what is unpacked is what was packed");
    }
    sg_buf_clear(&back);
    (void)sg_columns_unpack(in, &back);
    require(back.n <= TEXT_MAX, "the cap is kept");
    sg_buf_deinit(&packed);
    sg_buf_deinit(&back);
    return 0;
}
