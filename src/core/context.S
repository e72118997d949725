/*
 * Switching of stacks without a system call: the registers that a called function must preserve go
 * to the old stack, its pointer to the old context, and the same in reverse. The rounding modes of
 * the floating point units are left alone, as nothing here changes them.
 *
 * void context_switch(struct context *from, struct context *to)
 * context_entry: where a new context begins; calls the function that context_make put there.
 * tools/gdb/maild-gdb.py knows the order of the saved registers.
 */
#if defined __x86_64__ && !defined MAILD_PORTABLE_CONTEXT
    .text
    .globl context_switch
    .type context_switch, @function
    .p2align 4
context_switch:
    .cfi_startproc
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq (%rsi), %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    /* A jump: the processor's stack of return addresses belongs to the other context. */
    popq %rcx
    jmp *%rcx
    .cfi_endproc
    .size context_switch, . - context_switch

    .globl context_entry
    .type context_entry, @function
    .p2align 4
context_entry:
    .cfi_startproc
    .cfi_undefined rip
    movq %r12, %rdi
    xorl %ebp, %ebp
    call *%r13
    ud2
    .cfi_endproc
    .size context_entry, . - context_entry

#elif defined __aarch64__ && !defined MAILD_PORTABLE_CONTEXT
    .text
    .globl context_switch
    .type context_switch, %function
    .p2align 4
context_switch:
    .cfi_startproc
    sub sp, sp, #160
    stp x19, x20, [sp, #0]
    stp x21, x22, [sp, #16]
    stp x23, x24, [sp, #32]
    stp x25, x26, [sp, #48]
    stp x27, x28, [sp, #64]
    stp x29, x30, [sp, #80]
    stp d8, d9, [sp, #96]
    stp d10, d11, [sp, #112]
    stp d12, d13, [sp, #128]
    stp d14, d15, [sp, #144]
    mov x9, sp
    str x9, [x0]
    ldr x9, [x1]
    mov sp, x9
    ldp x19, x20, [sp, #0]
    ldp x21, x22, [sp, #16]
    ldp x23, x24, [sp, #32]
    ldp x25, x26, [sp, #48]
    ldp x27, x28, [sp, #64]
    ldp x29, x30, [sp, #80]
    ldp d8, d9, [sp, #96]
    ldp d10, d11, [sp, #112]
    ldp d12, d13, [sp, #128]
    ldp d14, d15, [sp, #144]
    add sp, sp, #160
    br x30
    .cfi_endproc
    .size context_switch, . - context_switch

    .globl context_entry
    .type context_entry, %function
    .p2align 4
context_entry:
    .cfi_startproc
    .cfi_undefined x30
    mov x0, x19
    mov x29, xzr
    blr x20
    brk #0
    .cfi_endproc
    .size context_entry, . - context_entry
#endif

#if defined __linux__ && defined __ELF__
    .section .note.GNU-stack, "", %progbits
#endif
