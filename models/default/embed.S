/* The default network's weight file, linked into the library as it is: nothing is read at run time. */
#if defined __APPLE__
#error "say here how this object format names symbols and sections"
#endif
    .section .rodata
    .balign 64
    .globl tt_default_weights
    .type tt_default_weights, %object
tt_default_weights:
    .incbin "models/default/default_x2.safetensors"
1:
    .size tt_default_weights, . - tt_default_weights
    .balign 8
    .globl tt_default_weights_size
    .type tt_default_weights_size, %object
tt_default_weights_size:
    .quad 1b - tt_default_weights
    .size tt_default_weights_size, . - tt_default_weights_size
    .section .note.GNU-stack, "", %progbits
